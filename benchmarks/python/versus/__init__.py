"""fastcnn beside PyTorch, ONNX Runtime and OpenVINO. The command is ../versus.py."""
