"""One module per AWS service: plain values out, named errors up. The only boto3."""
