"""Read a SensorThings server with QGIS, layer by layer, and compare what it counts with what it reads.

    QT_QPA_PLATFORM=offscreen python3 qgis_layers.py http://127.0.0.1:8080/v1.1

runs where ``python3-qgis`` is installed, 3.36 or later; a logging proxy between records `clients/qgis_….txt`.
"""

from __future__ import annotations

import sys

from qgis.core import Qgis, QgsApplication, QgsFeatureRequest, QgsRectangle, QgsVectorLayer

PLACES = {"Location", "FeatureOfInterest", "MultiDatastream"}
SHAPES = ("PointZ", "MultiPointZ", "MultiLineStringZ", "MultiPolygonZ")
ENTITIES = (*sorted(PLACES), "Thing", "HistoricalLocation", "Datastream", "Sensor", "ObservedProperty", "Observation")
EXPANDED = {
    "Location": (
        "Thing",
        "HistoricalLocation",
        "Thing:orderby=name,asc:limit=3;Datastream:limit=2;Observation:orderby=phenomenonTime,desc:limit=3",
    ),
    "Thing": ("HistoricalLocation", "MultiDatastream"),
    "HistoricalLocation": ("Location", "Thing;Datastream"),
    "Datastream": ("Thing;Location", "Observation:orderby=phenomenonTime,asc:limit=1000"),
    "MultiDatastream": ("ObservedProperty", "Observation:limit=5"),
    "Sensor": ("Datastream",),
    "ObservedProperty": ("Datastream",),
    "Observation": ("FeatureOfInterest", "Datastream;Thing"),
    "FeatureOfInterest": ("Observation:limit=2;Datastream",),
}
EXTENT = QgsRectangle(119.5, 29.5, 120.5, 30.5)


def main(root: str) -> int:
    """Return how many layers are not as they should be."""
    wrong = 0
    for entity in ENTITIES:
        uris = [f"url='{root}' entity='{entity}'"]
        uris += [f"{uris[0]} type={shape}" for shape in SHAPES if entity in PLACES]
        uris += [f"{uris[-1]} expandTo='{expanded}'" for expanded in EXPANDED[entity]]
        for uri in uris:
            layer = QgsVectorLayer(uri, entity, "sensorthings")
            read = sum(1 for _ in layer.getFeatures())
            if layer.isSpatial():
                within = QgsVectorLayer(uri, entity, "sensorthings")
                sum(1 for _ in within.getFeatures(QgsFeatureRequest().setFilterRect(EXTENT)))
            counted = layer.featureCount()
            is_right = layer.isValid() and counted in {read, -1}  # -1: of expanded entities none is counted
            wrong += not is_right
            sys.stdout.write(f"{'ok   ' if is_right else 'WRONG'} {counted:7} {read:7}  {uri}\n")
    return wrong


if __name__ == "__main__":
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    sys.stdout.write(f"QGIS {Qgis.QGIS_VERSION}\n")
    sys.exit(main(sys.argv[1]))
