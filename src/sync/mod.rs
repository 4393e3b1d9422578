//! Sync with the shore: one endpoint, push and pull.
