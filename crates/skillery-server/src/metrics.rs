//! What operators watch: counters and histograms in the form of Prometheus.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Witness {
    witness: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stream {
    stream: String,
}

/// All metrics.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    downloads: Counter,
    published: Counter,
    log_size: Gauge<i64>,
    index_position: Gauge<i64>,
    collected: Counter<u64, AtomicU64>,
    witnessed: Gauge<i64>,
    witness_answers: Family<Witness, Counter>,
    stream_rows: Family<Stream, Gauge<i64>>,
    stream_seconds: Family<Stream, Gauge<i64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("skillery");
        let metrics = Self {
            answers: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0005, 2.5, 12))),
            downloads: Counter::default(),
            published: Counter::default(),
            log_size: Gauge::default(),
            index_position: Gauge::default(),
            collected: Counter::default(),
            witnessed: Gauge::default(),
            witness_answers: Family::default(),
            stream_rows: Family::default(),
            stream_seconds: Family::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Answers by route, method and status", metrics.answers.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Seconds until a request was answered",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("downloads", "Downloads answered with content", metrics.downloads.clone());
        registry.register(
            "versions_published",
            "Versions published by this server",
            metrics.published.clone(),
        );
        registry.register("log_entries", "Entries in the log", metrics.log_size.clone());
        registry.register(
            "index_position",
            "Log entries that the search index has",
            metrics.index_position.clone(),
        );
        registry.register(
            "contents_collected",
            "Contents removed since no version needed them",
            metrics.collected.clone(),
        );
        registry.register(
            "witnessed_entries",
            "Entries of the newest checkpoint that enough witnesses have cosigned",
            metrics.witnessed.clone(),
        );
        registry.register(
            "witness_answers",
            "What witnesses have answered to this server",
            metrics.witness_answers.clone(),
        );
        registry.register(
            "audit_stream_rows_behind",
            "Rows of the audit that a stream has still to send, counted up to a limit",
            metrics.stream_rows.clone(),
        );
        registry.register_with_unit(
            "audit_stream_behind",
            "Seconds that the oldest row has waited that a stream has still to send",
            Unit::Seconds,
            metrics.stream_seconds.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, route: &'static str, method: &'static str, status: u16, seconds: f64) {
        self.answers.get_or_create(&Answer { route, method, status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(seconds);
    }

    /// A download was answered with content.
    pub fn downloaded(&self) {
        self.downloads.inc();
    }

    /// A version was published.
    pub fn published(&self) {
        self.published.inc();
    }

    /// A content was collected.
    pub fn collected(&self) {
        self.collected.inc();
    }

    /// Enough witnesses have cosigned so many entries of the log.
    pub fn witnessed(&self, entries: u64) {
        self.witnessed.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// A witness was asked: `cosigned`, `ahead` or `failed`.
    pub fn witness_answered(&self, name: &str, outcome: &'static str) {
        self.witness_answers.get_or_create(&Witness { witness: name.to_owned(), outcome }).inc();
    }

    /// A stream of the audit has so many rows still to send, and the oldest has waited so long.
    pub fn stream_is_behind(&self, name: &str, rows: i64, seconds: i64) {
        let stream = Stream { stream: name.to_owned() };
        self.stream_rows.get_or_create(&stream).set(rows);
        self.stream_seconds.get_or_create(&stream).set(seconds);
    }

    /// It is not known how far a stream of the audit is.
    pub fn stream_is_unknown(&self, name: &str) {
        let stream = Stream { stream: name.to_owned() };
        self.stream_rows.remove(&stream);
        self.stream_seconds.remove(&stream);
    }

    /// The page that Prometheus reads.
    pub fn page(&self, log_size: i64, index_position: i64) -> Result<String, std::fmt::Error> {
        self.log_size.set(log_size);
        self.index_position.set(index_position);
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
