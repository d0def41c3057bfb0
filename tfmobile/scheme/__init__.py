"""TFLite's int8 scheme as tables: which ops it quantizes, what fuses to one op, where values are rounded to 8 bits."""
