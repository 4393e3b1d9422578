"""Tests of the rig's own parts that hold no machine; `make hil` runs them first."""
