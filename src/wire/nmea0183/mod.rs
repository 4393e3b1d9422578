//! NMEA 0183 (IEC 61162-1): sentences to readings.
