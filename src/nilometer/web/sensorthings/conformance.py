"""What of the standard, and of its extensions, works: each URI is a promise to clients."""

from __future__ import annotations

__all__ = ["CONFORMANCE", "CONFORMANCE_OF_MQTT"]

_REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req"
_STANDARD = tuple(
    f"{_REQUIREMENT}/{name}"
    for name in (
        "datamodel/entity-control-information/common-control-information",
        *(
            f"datamodel/{kind}{requirement}"
            for kind in (
                "thing",
                "location",
                "historical-location",
                "datastream",
                "sensor",
                "observed-property",
                "observation",
                "feature-of-interest",
            )
            for requirement in ("", "/properties", "/relations")
        ),
        "resource-path/resource-path-to-entities",
        "request-data/status-code",
        "request-data/query-status-code",
        "request-data/order",
        "request-data/expand",
        "request-data/select",
        "request-data/orderby",
        "request-data/top",
        "request-data/skip",
        "request-data/count",
        "request-data/filter",
        "request-data/built-in-filter-operations",
        "request-data/built-in-query-functions",
        "request-data/pagination",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code",
        "create-update-delete/update-entity",
        "create-update-delete/update-entity-put",
        "create-update-delete/update-entity-jsonpatch",
        "create-update-delete/delete-entity",
        "create-update-delete/historical-location-auto-creation",
        "create-update-delete/historical-location-manual-creation",
        "batch-request/batch-request",
        "multi-datastream/properties",
        "multi-datastream/relations",
        "multi-datastream/constraints",
        "data-array/data-array",
    )
)
_EXTENSIONS = (
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/GeoJSON-ResultFormat.html",
    "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/CSV-ResultFormat/CSV-ResultFormat.md",
)
CONFORMANCE = (*_STANDARD, *_EXTENSIONS)
"""What works."""

CONFORMANCE_OF_MQTT = (
    f"{_REQUIREMENT}/create-observations-via-mqtt/observations-creation",
    f"{_REQUIREMENT}/receive-updates-via-mqtt/receive-updates",
)
