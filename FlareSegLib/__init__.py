"""FlareSeg's library: abdominal CT in, four organs out. It knows nothing of 3D Slicer."""

__version__ = "0.1.0"
