//! MQTT: live events and the change log to brokers. Sees rows, not sensors (invariant 2).
