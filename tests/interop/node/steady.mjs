// Makes spans at a steady rate, whatever becomes of who receives them.
//
//   node steady.mjs grpc|http/json|http/protobuf http://127.0.0.1:4317 DIRECTORY RATE
//
// Ends when its standard input is closed and prints how many spans it made. What the exporter said
// of every batch is written down: DIRECTORY/acknowledged and DIRECTORY/failed are ledgers.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

import { SpanKind, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const EXPORTERS = {
  grpc: [GrpcExporter, ''],
  'http/json': [JsonExporter, '/v1/traces'],
  'http/protobuf': [ProtobufExporter, '/v1/traces'],
};
const SUCCESS = 0;
const TICK_MS = 20;
const CHILDREN = 4;
// Longer than any restart, so that the SDK need not give up or leave spans out by itself.
const PATIENCE_MS = 90_000;
const QUEUED = 200_000;

const [protocol, target, directory, rate] = process.argv.slice(2);
const [Exporter, path] = EXPORTERS[protocol];
for (const ledger of ['acknowledged', 'failed']) {
  appendFileSync(join(directory, ledger), '');
}

// An exporter that writes down what became of each batch.
class Written extends Exporter {
  export(spans, done) {
    super.export(spans, (result) => {
      const names = spans.map((span) => span.spanContext()).map((one) => `${one.traceId}-${one.spanId}`);
      const entry = { acknowledged_ns: Date.now() * 1_000_000, attempts: 1, spans: names };
      const ledger = result.code === SUCCESS ? 'acknowledged' : 'failed';
      appendFileSync(join(directory, ledger), `${JSON.stringify(entry)}\n`);
      if (result.code !== SUCCESS) {
        process.stderr.write(`${new Date().toISOString()} ${result.error}\n`);
      }
      done(result);
    });
  }
}

const processor = new BatchSpanProcessor(new Written({ url: target + path, timeoutMillis: PATIENCE_MS }), {
  maxQueueSize: QUEUED,
  scheduledDelayMillis: 500,
  exportTimeoutMillis: PATIENCE_MS,
});
const resource = defaultResource().merge(resourceFromAttributes({ 'service.name': `node ${protocol}` }));
const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
const tracer = provider.getTracer('steady');
let number = 0;

function makeTrace() {
  const root = tracer.startSpan(`GET /${number % 7}`, { kind: SpanKind.SERVER });
  const below = trace.setSpan(context.active(), root);
  for (let child = 0; child < CHILDREN; child += 1) {
    tracer.startSpan(`step ${child}`, { attributes: { number } }, below).end();
  }
  root.end();
  number += 1;
}

const began = Date.now();
const timer = setInterval(() => {
  const wanted = ((Date.now() - began) / 1000) * Number(rate);
  while (number * (1 + CHILDREN) < wanted) {
    makeTrace();
  }
}, TICK_MS);
process.stdin.resume();
process.stdin.on('end', async () => {
  clearInterval(timer);
  await provider.forceFlush();
  await provider.shutdown();
  process.stdout.write(String(number * (1 + CHILDREN)));
});
