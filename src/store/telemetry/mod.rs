//! Day files of readings.

pub mod error;
pub mod files;
pub mod reader;
pub mod thread;
pub mod types;
pub mod writer;

pub use error::TelemetryError;
pub use files::QuarantinedFile;
pub use reader::TelemetryReader;
pub use thread::{StoreMetrics, WriterHandle, WriterReport, WriterThread};
pub use types::{
    Batch, Committed, CommittedBatch, FileOpened, Missing, MissingReason, OpenReason, Order, Query, QueryReport,
    Recovery, StoredReading, Synced, TelemetryStats,
};
pub use writer::TelemetryWriter;
