//! The shore: composition root of the server ashore.
