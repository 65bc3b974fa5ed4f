"""Settings: one naming rule, one order of precedence, clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracer.errors import BadSetting
from tracer.settings import Settings, load


def test_flags_win_over_variables_over_the_file_over_defaults(tmp_path: Path) -> None:
    config = tmp_path / "tracer.toml"
    config.write_text('api_port = 1\notlp_http_port = 2\notlp_grpc_port = 3\nsettle = "3s"\n')
    settings = load(
        {"api_port": "10"}, {"TRACER_API_PORT": "20", "TRACER_OTLP_HTTP_PORT": "30"}, str(config)
    )
    assert (settings.api_port, settings.otlp_http_port, settings.otlp_grpc_port) == (10, 30, 3)
    assert settings.settle == 3_000_000_000
    assert settings.data == Settings().data


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("clickhouse://u:p@h:1/d\n")
    settings = load({}, {"TRACER_STORE_FILE": str(tmp_path / "url")})
    assert settings.store == "clickhouse://u:p@h:1/d"


def test_the_config_variable_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("allow_unauthenticated = true\nredact_keys = ['a', 'b']\n")
    settings = load({}, {"TRACER_CONFIG": str(tmp_path / "t.toml")})
    assert settings.allow_unauthenticated
    assert settings.redact_keys == ("a", "b")


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        ({"api_port": "99999"}, {}, ["--api-port", "99999", "0..65535"]),
        ({}, {"TRACER_SETTLE": "10"}, ["TRACER_SETTLE", "'10'", "250ms"]),
        ({"durability": "maybe"}, {}, ["durability", "maybe", "process"]),
        ({"host": "0.0.0.0"}, {}, ["0.0.0.0", "--tls-client-ca", "--allow-unauthenticated"]),
        ({"tls_cert": "a.pem"}, {}, ["tls_key", "together"]),
        ({"tls_key": "a.pem"}, {}, ["tls_cert", "together"]),
        ({"tls_client_ca": "a.pem"}, {}, ["tls_client_ca", "'a.pem'", "tls_cert"]),
        ({"api_port": "http"}, {}, ["--api-port", "http", "whole number"]),
        ({"timezone": "Mars/Olympus"}, {}, ["--timezone", "IANA"]),
        ({"log_level": "loud"}, {}, ["--log-level", "warning"]),
        ({"self_trace": "localhost:4317"}, {}, ["--self-trace", "http://127.0.0.1:4317"]),
        ({"self_trace": "http://a:b@c:1"}, {}, ["--self-trace", "OTEL_EXPORTER_OTLP_HEADERS"]),
        ({"log_format": "xml"}, {}, ["--log-format", "text or json"]),
        ({"max_block_rows": "0"}, {}, ["--max-block-rows", "at least 1"]),
        ({}, {"TRACER_STORE_FILE": "/does/not/exist"}, ["TRACER_STORE_FILE", "No such file"]),
    ],
)
def test_a_bad_setting_names_itself_its_value_and_the_fix(
    flags: dict[str, str | None], environment: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(BadSetting) as caught:
        load(flags, environment)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [("nonsense = 1\n", "nonsense"), ("= 1\n", "not TOML"), (None, "No such file")],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str | None, word: str) -> None:
    path = tmp_path / "t.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadSetting, match=word):
        load({}, {}, str(path))


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="not UTF-8"):
        load({}, {}, str(path))
    with pytest.raises(BadSetting, match=r"TRACER_STORE_FILE.*not UTF-8"):
        load({}, {"TRACER_STORE_FILE": str(path)})
