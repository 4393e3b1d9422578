"""Tests of the builder: `scripts/image test`. They load nothing, start nothing and need no root."""
