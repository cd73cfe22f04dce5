"""Files for a container, as Docker takes them."""

import io
import tarfile


def packed(folder: str, files: dict[str, bytes], *, owner: int) -> bytes:
    """An archive of one folder that only its owner can read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode, entry.uid = tarfile.DIRTYPE, 0o700, owner
        archive.addfile(entry)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode, member.uid = len(content), 0o600, owner
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
