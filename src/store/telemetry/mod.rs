//! Day files of readings.

pub mod batch;
pub mod block;
pub mod day;
pub mod error;
pub mod files;
pub mod identity;
pub mod metrics;
pub mod reader;
pub mod recovery;
pub mod row;
pub mod schema;
pub mod sequence;
pub mod summary;
pub mod thread;
pub mod types;
pub mod view;
pub mod writer;

pub use error::TelemetryError;
pub use files::QuarantinedFile;
pub use metrics::StoreMetrics;
pub use reader::TelemetryReader;
pub use thread::{WriterHandle, WriterHealth, WriterReport, WriterThread};
pub use types::{
    Batch, Committed, CommittedBatch, FileOpened, Missing, MissingReason, OpenReason, Order, Query, QueryReport,
    Recovery, StoredReading, Synced, TelemetryStats,
};
pub use writer::TelemetryWriter;
