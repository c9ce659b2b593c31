"""Other ways of training, on the splits and images of a run of ours and with its minutes.

``python -m benchmarks.accuracy.peers timm|torchxrayvision RUN OUT --weights FILE`` leaves in OUT what the comparison reads of a
run: ``predictions.parquet``, ``metrics.json``, ``provenance.json``.
"""
