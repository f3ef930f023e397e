"""A video lands in `in/`; its renditions at 720p and 360p and a poster image appear in `out/`.

The function handles one file. The trigger's filter (prefix `in/`) is why its own output does not fire it again.
"""
import json
import logging
import os
import subprocess
import tempfile

from objects import Bucket

RENDITIONS = (("720p", 720, "2500k"), ("360p", 360, "800k"))
log = logging.getLogger()


def handler(event, context):
    made = []
    for record in json.loads(event)["events"]:
        bucket = Bucket(record["oss"]["bucket"]["name"], context.credentials)
        made += transcode(bucket, record["oss"]["object"]["key"])
    return json.dumps({"made": made})


def transcode(bucket, key):
    name = os.path.splitext(os.path.basename(key))[0]
    made = []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        source = os.path.join(folder, "source")
        bucket.download(key, source)
        for label, height, rate in RENDITIONS:
            target = os.path.join(folder, f"{label}.mp4")
            ffmpeg("-i", source, "-vf", f"scale=-2:{height}", "-c:v", "libx264", "-preset", "veryfast", "-b:v", rate,
                   "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", target)
            made.append(put(bucket, f"out/{name}/{label}.mp4", target, "video/mp4"))
        poster = os.path.join(folder, "poster.jpg")
        ffmpeg("-ss", "0.5", "-i", source, "-frames:v", "1", "-vf", "scale=-2:360", poster)
        made.append(put(bucket, f"out/{name}/poster.jpg", poster, "image/jpeg"))
    return made


def put(bucket, key, path, content_type):
    bucket.upload(key, path, content_type)
    log.info("wrote %s (%d bytes)", key, os.path.getsize(path))
    return key


def ffmpeg(*arguments):
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg failed: {done.stderr.strip()[-500:]}")
