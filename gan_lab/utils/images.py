"""Pictures as files."""

import io

from PIL import Image
from torch import Tensor


def encode_png(picture: Tensor) -> bytes:
    """Encode (3, H, W) uint8 as PNG."""
    content = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(content, format="PNG")
    return content.getvalue()
