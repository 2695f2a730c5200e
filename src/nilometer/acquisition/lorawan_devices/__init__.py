"""Payload layouts of LoRaWAN devices, one data file a device; see docs/formats/lorawan.md."""
