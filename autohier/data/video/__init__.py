"""Videos: decoding and encoding. The only room that imports PyAV."""
