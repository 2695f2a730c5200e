"""A server of the SensorThings data array extension, for what our own server does not have yet: CreateObservations.

No server with that extension can be installed here (FROST and istSOS want Java, Docker or PostGIS). This one keeps to
the shapes of OGC 18-088, 13.2: a list of data arrays in, 201 and a self link or ``error`` a row out; reading is paged.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 3


class ThingsServer:
    """Observations of Datastream 7; `swallow` takes what is sent and answers nothing; `down` answers 503."""

    def __init__(self) -> None:
        self.observations: list[dict] = []
        self.swallow = self.down = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                arrays = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1.1/CreateObservations"
                if outer.down:
                    return self._answer(503, {"message": "later"})
                links = [outer.create(array, row) for array in arrays for row in array["dataArray"]]
                if outer.swallow:
                    self.close_connection = True
                    return None
                return self._answer(201, links)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = parse_qs(parts.query)
                first, last = re.findall(r"[gl]e (\S+)", asked["$filter"][0])
                skip = int(asked.get("$skip", ["0"])[0])
                found = [one for one in outer.observations if first <= one["phenomenonTime"] <= last]
                page = {"value": [{"parameters": one["parameters"]} for one in found[skip : skip + PAGE]]}
                if len(found) > skip + PAGE:
                    query = parts.query.partition("&$skip")[0]
                    page["@iot.nextLink"] = f"{outer.url}{parts.path.removeprefix('/v1.1')}?{query}&$skip={skip + PAGE}"
                self._answer(200, page)

            def _answer(self, status, document) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1.1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def create(self, array, row) -> str:
        one = dict(zip(array["components"], row, strict=True))
        if array["Datastream"] != {"@iot.id": 7}:
            return "error"
        self.observations.append(one)
        return f"{self.url}/Observations({len(self.observations)})"

    def results(self):
        return [one["result"] for one in self.observations]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
