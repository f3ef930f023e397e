"""The smallest Python function: counts the words of what it is given."""
import json
import logging


def handler(event, context):
    text = event.decode("utf-8", "replace")
    logging.getLogger().info("counting %d characters", len(text))
    return json.dumps({"words": len(text.split()), "request": context.request_id})
