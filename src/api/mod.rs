//! HTTP: the API, the live stream, the pages.
