// Sends the traces of a file over one protocol and prints the trace ids as JSON.
//
//   node app.mjs traces.json grpc|http/json|http/protobuf none|gzip http://127.0.0.1:4317
//
// Spans start and end at the file's offsets from now, to the nanosecond.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } from '@opentelemetry/api';
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
const NS_PER_S = 1_000_000_000n;

const [file, protocol, compression, target] = process.argv.slice(2);
const described = JSON.parse(readFileSync(file, 'utf8'));
const [Exporter, path] = EXPORTERS[protocol];
const beganNs = BigInt(Date.now()) * 1_000_000n - 10n * NS_PER_S;

const providers = Object.fromEntries(
  Object.entries(described.services).map(([service, attributes]) => {
    const exporter = new Exporter({ url: target + path, compression });
    const resource = defaultResource().merge(resourceFromAttributes(native(attributes)));
    return [service, new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] })];
  }),
);

// OTLP/JSON values as values of this language.
function value(any) {
  if ('intValue' in any) return Number(any.intValue);
  if ('arrayValue' in any) return (any.arrayValue.values ?? []).map(value);
  return Object.values(any)[0];
}

function native(attributes = {}) {
  return Object.fromEntries(Object.entries(attributes).map(([key, any]) => [key, value(any)]));
}

function at(offsetNs) {
  const ns = beganNs + BigInt(offsetNs);
  return [Number(ns / NS_PER_S), Number(ns % NS_PER_S)];
}

function remoteParent(tracestate) {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: createTraceState(tracestate),
  });
}

const spans = {};
const traceIds = [];
for (const one of described.traces) {
  const above = one.remote_tracestate ? remoteParent(one.remote_tracestate) : ROOT_CONTEXT;
  for (const span of one.spans) {
    const { name, version, schema_url: schemaUrl } = described.scope;
    const started = providers[span.service].getTracer(name, version, { schemaUrl }).startSpan(
      span.name,
      {
        kind: SpanKind[span.kind.toUpperCase()],
        attributes: native(span.attributes),
        startTime: at(span.start_ns),
        links: (span.links ?? []).map((link) => ({
          context: spans[link.to].spanContext(),
          attributes: native(link.attributes),
        })),
      },
      span.parent ? trace.setSpan(ROOT_CONTEXT, spans[span.parent]) : above,
    );
    spans[span.name] = started;
    for (const event of span.events ?? []) {
      started.addEvent(event.name, native(event.attributes), at(event.at_ns));
    }
    if (span.status) {
      started.setStatus({ code: SpanStatusCode[span.status.code.toUpperCase()], message: span.status.message });
    }
  }
  for (const span of [...one.spans].reverse()) {
    spans[span.name].end(at(span.end_ns));
  }
  traceIds.push(spans[one.spans[0].name].spanContext().traceId);
}
await Promise.all(Object.values(providers).map((provider) => provider.shutdown()));
process.stdout.write(JSON.stringify(traceIds));
