"""What the scenes talk about. The simulator calls a tool when its name is mentioned, with the least
arguments that the tool's schema accepts, and quotes the tool's result in the end."""

from types import SimpleNamespace

AMBER = SimpleNamespace(
    ask="Say amber, please.", answer="Amber light falls on the quiet harbor tonight.")
WEATHER = SimpleNamespace(
    ask="How is the weather today?", name="get_weather", description="The weather in a city",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Oslo"]}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    arguments={"city": "Oslo", "days": 1}, result="7 degrees")
HARBORS = SimpleNamespace(
    ask="List the harbors.", name="list_harbors", description="All harbors there are",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    arguments={}, result="Bergen")
BOTH = SimpleNamespace(ask="How is the weather, and which harbors are there?")
RESULTS = {WEATHER.name: WEATHER.result, HARBORS.name: HARBORS.result}
REPORT = SimpleNamespace(
    ask="Report on the city.", name="city_report",
    schema={
        "type": "object",
        "properties": {
            "city": {"type": "string", "enum": ["Oslo"]},
            "degrees": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["cold"]}, "minItems": 1},
        },
        "required": ["city", "degrees", "tags"],
        "additionalProperties": False,
    },
    value={"city": "Oslo", "degrees": 1, "tags": ["cold"]})
# A red square of 2 x 2 pixels.
PICTURE = SimpleNamespace(
    ask="Say amber of this picture.", type="image/png",
    base64="iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4"
           "z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==")
PICTURE.url = f"data:{PICTURE.type};base64,{PICTURE.base64}"


def long_story(mark):
    """A prompt that the slow models take six seconds for, and what to find it by."""
    return f"Tell story {mark}.\n#sim tokens=300"
