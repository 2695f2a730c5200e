"""Small files of every family, made up in the shape of real ones: what the tests read, and what the fuzzer spoils."""

from __future__ import annotations

import html
import io
import json
import struct
import tempfile
import zipfile
from pathlib import Path

import can
from tests.acquisition.formats.made_up_netcdf import argo, buoy, mooring

from nilometer.acquisition.protocols.can_frame import frame_of_text
from nilometer.acquisition.protocols.hj212_frame import encode_frame

TOA5 = (
    '"TOA5","weir","CR1000","12345","CR1000.Std.25","CPU:weir.CR1","54321","Hourly"\r\n'
    '"TIMESTAMP","RECORD","WaterT_Avg","WaterT_Max","WaterT_TMx","Lvl","Flag"\r\n'
    '"TS","RN","Deg C","Deg C","Deg C","ft",""\r\n'
    '"","","Avg","Max","TMx","Smp","Smp"\r\n'
    '"2014-04-11 01:00:00",7,17.5,18.25,"2014-04-11 00:15:00",0.559,"ok"\r\n'
    '"2014-04-11 02:00:00",8,"NAN",18.5,"2014-04-11 01:45:00",0.5,"ok"\r\n'
)


def tob1() -> bytes:
    header = (
        '"TOB1","weir","CR1000","12345","CR1000.Std.25","CPU:weir.CR1","54321","Hourly"\r\n'
        '"SECONDS","NANOSECONDS","RECORD","WaterT_Avg","WaterT_Max","WaterT_TMx","Lvl","Flag"\r\n'
        '"SECONDS","NANOSECONDS","RN","Deg C","Deg C","Deg C","ft",""\r\n'
        '"","","","Avg","Max","TMx","Smp","Smp"\r\n'
        '"ULONG","ULONG","ULONG","FP2","IEEE4","SecNano","IEEE4B","ASCII(4)"\r\n'
    )
    at = 766026000  # 2014-04-11T01:00 in seconds since 1990
    rows = struct.pack("<3I", at, 0, 7) + bytes.fromhex("20AF") + struct.pack("<f2I", 18.25, at - 2700, 0)
    rows += struct.pack(">f", 0.559) + b"ok\0\0"
    rows += struct.pack("<3I", at + 3600, 0, 8) + bytes.fromhex("9FFE") + struct.pack("<f2I", 18.5, at + 2700, 0)
    rows += struct.pack(">f", 0.5) + b"ok\0\0"
    return header.encode() + rows


CSIXML = """<?xml version="1.0" standalone="yes"?>
<csixml version="1.0"><head><environment><station-name>weir</station-name><table-name>Hourly</table-name>
<model>CR1000</model><serial-no>12345</serial-no><os-version>CR1000.Std.25</os-version>
<dld-name>CPU:weir.CR1</dld-name><dld-sig>54321</dld-sig></environment>
<fields><field name="WaterT_Avg" process="Avg" type="xsd:float" units="Deg C" />
<field name="WaterT_Max" process="Max" type="xsd:float" units="Deg C" />
<field name="WaterT_TMx" process="TMx" type="xsd:dateTime" units="Deg C" />
<field name="Lvl" process="Smp" type="xsd:float" units="ft" />
<field name="Flag" process="Smp" type="xsd:string" units="" /></fields></head>
<data>
<r no="7" time="2014-04-11T01:00:00"><v1>17.5</v1><v2>18.25</v2><v3>2014-04-11T00:15:00</v3><v4>0.559</v4><v5>ok</v5>
</r>
<r no="8" time="2014-04-11T02:00:00"><v1>"NAN"</v1><v2>18.5</v2><v3>2014-04-11T01:45:00</v3><v4>0.5</v4><v5>ok</v5></r>
</data></csixml>
"""

HOBO = (
    '"Plot Title: creek"\n'
    '"#"\t"Date Time, GMT-04:00"\t"Full Range, μS/cm (LGR S/N: 20089046, SEN S/N: 20089047)"\t'
    '"Temp, °C (LGR S/N: 20089046, SEN S/N: 20089047)"\t"Stopped (LGR S/N: 20089046)"\n'
    "1\t11/13/17 02:54:05 PM\t1,687.5\t14.83\t\n"
    "2\t11/13/17 02:59:05 PM\t687.9\t-888.88\t\n"
    "3\t11/13/17 03:01:00 PM\t\t\tLogged\n"
)
HOBO_CONNECT = (
    "#,Date-Time (EST/EDT),Ch: 1 - Water Temp   (°C)\n"
    "1,03/13/2021 12:00:00,4.5\n2,03/14/2021 12:00:00,4.6\n3,03/15/2021 12:00:00,4.7\n"
)

KOR_2 = (
    "sep=,\nKorEXO MEASUREMENT DATA FILE EXPORT\n\nFILE CREATED:,9/27/2021 12:05:11 PM\n\n"
    ",,,MEAN VALUE:,1.66,76.3,1.3,5.97\n,,,STANDARD DEVIATION:,0.61,11.3,0.1,0.13\n\n"
    ",,,SENSOR SERIAL NUMBER:,16K101465,18E103446,16G101390,16G103270\n"
    "Date (MM/DD/YYYY),Time (HH:mm:ss),Time (Fract. Sec),Site Name,"
    "Chlorophyll RFU,ODO % sat,Pressure psi a,Battery V\n"
    "9/13/2021,11:48:37,0.0,GM,1.54,65.0,1.525,6.17\n9/13/2021,12:03:37,0.0,GM,1.63,NA,1.247,6.22\n"
)
KOR_1_ROWS = [
    ["KOR Export File"], [], ["Sonde ID", "Sonde 15H104217"], ["Site", "DCL"],
    ["Time Zone", "(UTC-05:00) Eastern Time (US & Canada)"], [], ["Devices List:"],
    ["Name", "SN", "Firmware", "Corresponding Data Column(s)"], ["EXO2 Sonde", "15H104217", "1.0.18", "6;7"],
    ["Turbidity", "15H101678", "3.0.0", "10;11"], [], [1, 2, 3, 4, 5],
    ["Date (MM/DD/YYYY)", "Time (HH:MM:SS)", "Site Name", "Turbidity FNU", "Temp °C"],
    ["2/21/2017", "14:30:00", "DCL", 2242.13, 5.089], ["2/21/2017", "14:35:00", "DCL", 916.7, 5.03],
]  # fmt: skip


def workbook(rows: list[list[object]]) -> bytes:
    """Return a workbook of one sheet, of inline text and numbers."""
    lines = []
    for row in rows:
        cells = "".join(
            f"<c><v>{cell}</v></c>"
            if isinstance(cell, int | float)
            else f'<c t="inlineStr"><is><t>{html.escape(str(cell))}</t></is></c>'
            for cell in row
        )
        lines.append(f"<row>{cells}</row>")
    kind = "application/vnd.openxmlformats"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{kind}-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}-officedocument.spreadsheetml.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{kind}-officedocument.spreadsheetml.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Log" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return packed.getvalue()


def ysi_dat() -> bytes:
    at = 754650033  # 2008-01-29T09:00:33 in seconds since 1984-03-01
    log = b"A" + struct.pack("<HLH16s32s6sLll36s", 600, 0, 304, b"07E101066", b"BAYT_CST", b"", 3600, at, at, b"")
    for channel, quantity in ((2, 1), (7, 4), (9, 250)):
        log += b"B" + struct.pack("<hhHff", channel, quantity, 0, 0.0, 0.0)
    log += b"D" + struct.pack("<l3f", at, 22.5612, -0.0003, 1.5)
    return log + b"D" + struct.pack("<l3f", at + 3600, 20.2, 15.4931, 2.5)


_CNV_HEAD = (
    "* Sea-Bird SBE 16plus V 2 Data File:\n* FileName = C:\\ctd.hex\n* Temperature SN = 4322\n** Station: BL1\n"
    "# nquan = 5\n# nvalues = 2\n# units = specified\n# name 0 = timeS: Time, Elapsed [seconds]\n"
    "# name 1 = prDM: Pressure, Digiquartz [db]\n# name 2 = t090C: Temperature [ITS-90, deg C]\n"
    "# name 3 = sbeox0ML/L: Oxygen, SBE 43 [ml/l], WS = 1\n# name 4 = flag:  0.000e+00\n"
)
_CNV_TAIL = (
    "# bad_flag = -9.990e-29\n#     <!-- Frequency 0, Temperature -->\n#       <SerialNumber>4322</SerialNumber>\n"
)
_CNV_ROWS = (
    "      0.000      6.433    26.9647      4.621  0.000e+00\n      0.250      6.448 -9.990e-29      4.619  0.000e+00\n"
)
CNV = (
    _CNV_HEAD
    + "# interval = seconds: 0.25\n# start_time = Apr 01 2011 07:26:35 [NMEA time, first data scan]\n"
    + _CNV_TAIL
    + "# file_type = ascii\n*END*\n"
    + _CNV_ROWS
)
CAST = (
    (_CNV_HEAD + "# interval = decibars: 1\n# start_time = Apr 01 2011 07:26:35 [System UpLoad Time]\n")
    .replace("timeS: Time, Elapsed [seconds]", "scan: Scan Count")
    + _CNV_TAIL
    + "# file_type = ascii\n*END*\n"
    + _CNV_ROWS
)  # fmt: skip


def binary_cnv() -> bytes:
    text = CNV.replace("file_type = ascii", "file_type = binary")
    head = text[: text.index("*END*") + 6].encode()
    return head + struct.pack("<10f", 0, 6.433, 26.9647, 4.621, 0, 0.25, 6.448, -9.99e-29, 4.619, 0)


BTL = (
    "* Sea-Bird SBE 9 Data File:\n** Station: BL1\n# start_time = Jun 27 2013 21:10:40 [NMEA time, header]\n"
    "    Bottle        Date       PrDM      T090C   CStarAt0Sbeox0Mm/Kg\n"
    "  Position        Time\n"
    "      1    Jun 27 2013     31.875     9.1594     8.6035    118.458 (avg)\n"
    "              21:23:18      0.208     0.0253     0.0437      1.770 (sdev)\n"
    "                           31.555     9.1330     8.5231    115.722 (min)\n"
    "      2    Jun 27 2013      1.950    12.5179    10.9216    293.557 (avg)\n"
    "              21:30:29      0.116     0.0062     0.0254      0.285 (sdev)\n"
)


RDB = (
    "# Data for the following 2 site(s) are contained in this file\n"
    "#    USGS 02177000 CHATTOOGA RIVER NEAR CLAYTON, GA\n"
    "#    TS   parameter     Description\n#    01   00010     Temperature, water, degrees Celsius\n"
    "agency_cd\tsite_no\tdatetime\ttz_cd\t01_00010\t01_00010_cd\n5s\t15s\t20d\t6s\t14n\t10s\n"
    "USGS\t02177000\t2021-03-13 23:45\tEST\t9.1\tP\nUSGS\t02177000\t2021-03-14 04:00\tEDT\tEqp\tP\n"
    "#    USGS 02177001 TWO RIVERS, GA\n"
    "agency_cd\tsite_no\tdatetime\ttz_cd\t02_00060_00003\t02_00060_00003_cd\n5s\t15s\t20d\t6s\t14n\t10s\n"
    "USGS\t02177001\t2021-03-14\t\t191\tA\n"
)
RATING = "# //STATION\nINDEP\tDEP\tSTOR\n16N\t16N\t1S\n2.99\t30.0\t*\n4.0\t110.0\t*\n"

_WATERML_1_HEAD = (
    '<?xml version="1.0"?><ns1:timeSeriesResponse xmlns:ns1="http://www.cuahsi.org/waterML/1.1/">'
    "<ns1:queryInfo><ns1:note>a</ns1:note></ns1:queryInfo>"
)


def _waterml_1_series(site: str, code: str, name: str, unit: str, values: str) -> str:
    return (
        f"<ns1:timeSeries><ns1:sourceInfo><ns1:siteName>{site}</ns1:siteName><ns1:siteCode>0149</ns1:siteCode>"
        f"</ns1:sourceInfo><ns1:variable><ns1:variableCode>{code}</ns1:variableCode>"
        f"<ns1:variableName>{name}</ns1:variableName><ns1:unit><ns1:unitCode>{unit}</ns1:unitCode></ns1:unit>"
        '<ns1:options><ns1:option name="Statistic" optionCode="00000"/></ns1:options>'
        f"<ns1:noDataValue>-999999.0</ns1:noDataValue></ns1:variable><ns1:values>{values}</ns1:values></ns1:timeSeries>"
    )


WATERML_1 = (
    _WATERML_1_HEAD
    + _waterml_1_series(
        "CREEK", "00060", "Streamflow, ft&amp;#179;/s", "ft3/s",
        '<ns1:value qualifiers="A" dateTime="2012-05-12T00:00:00.000-05:00">83</ns1:value>'
        '<ns1:value qualifiers="P" dateTime="2012-05-12T00:15:00.000-05:00">-999999</ns1:value>',
    )
    + _waterml_1_series(
        "CREEK", "91234", "Something, mg/l", "mg/l",
        '<ns1:value qualifiers="P" dateTime="2012-05-12T00:15:00.000-05:00">4.5</ns1:value>',
    )
    + "</ns1:timeSeriesResponse>"
)  # fmt: skip
WATERML_2 = """<wml2:Collection xmlns:wml2="http://www.opengis.net/waterml/2.0" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:om="http://www.opengis.net/om/2.0" xmlns:swe="http://www.opengis.net/swe/2.0"><wml2:observationMember>
<om:OM_Observation><om:observedProperty xlink:title="Water temperature" xlink:href="http://example.org/p"/>
<om:featureOfInterest xlink:title="FALLS"/><om:result><wml2:MeasurementTimeseries><wml2:defaultPointMetadata>
<wml2:DefaultTVPMeasurementMetadata><wml2:qualifier xlink:title="good"/><wml2:uom code="Cel"/>
<wml2:interpolationType xlink:href="http://www.opengis.net/def/waterml/2.0/interpolationType/AveragePrec"/>
</wml2:DefaultTVPMeasurementMetadata></wml2:defaultPointMetadata>
<wml2:point><wml2:MeasurementTVP><wml2:time>2014-09-01T01:00:00+01:00</wml2:time><wml2:value>9.5</wml2:value>
</wml2:MeasurementTVP></wml2:point>
<wml2:point><wml2:MeasurementTVP><wml2:time>2014-09-01T02:00:00+01:00</wml2:time><wml2:value/>
</wml2:MeasurementTVP></wml2:point>
</wml2:MeasurementTimeseries></om:result></om:OM_Observation></wml2:observationMember></wml2:Collection>
"""
WATERML_JSON = json.dumps({
    "name": "ns1:timeSeriesResponseType", "declaredType": "org.cuahsi.waterml.TimeSeriesResponseType",
    "value": {"timeSeries": [
        {
            "sourceInfo": {"siteName": site, "siteCode": [{"value": "01"}]},
            "variable": {
                "variableCode": [{"value": "00065"}], "variableName": "Gage height, ft", "unit": {"unitCode": "ft"},
                "options": {"option": [{"name": "Statistic", "optionCode": "00000"}]}, "noDataValue": -999999.0,
            },
            "values": [{"value": [
                {"value": "4.25", "qualifiers": ["P"], "dateTime": "2019-02-14T00:00:00.000-05:00"},
                {"value": "-999999", "qualifiers": ["P", "Eqp"], "dateTime": "2019-02-14T00:05:00.000-05:00"},
            ]}],
        }
        for site in ("UP", "DOWN")
    ]},
})  # fmt: skip


LEV = (
    "Data file for DataLogger.\r\nDATE       : 08/10/10\r\n[Instrument info]\r\n"
    "  Instrument type         =LTC-Levelogger =12\r\n  Serial number           =.N00-60652  312.\r\n"
    "  Location                =JDM1    \r\n[CHANNEL 1]\r\n  Identification          =LEVEL   \r\n"
    "  Reference               =0.000     m     \r\n[CHANNEL 2 from data header]\r\n"
    "  Identification          =1: Conductivity  \r\n  Unit                    =mS/cm\r\n[Data]\r\n3\r\n"
    "2010/08/05 10:10:40.0      0.2732      38.318\r\n2010/08/05 10:15:40.5      0.2882      40.115\r\n"
    "garbage\r\nEND OF DATA FILE OF DATALOGGER FOR WINDOWS\r\n"
)
SOLINST_CSV = (
    "Serial_number:\n1067933\nProject ID:\nNueces\nLocation:\nCTD08\nLEVEL\nUNIT: m\nOffset: 0.000000 m\nTEMPERATURE\n"
    "UNIT: Deg C\nCONDUCTIVITY\nUNIT: µS/cm\nDate,Time,ms,LEVEL,TEMPERATURE,CONDUCTIVITY\n"
    "2012/07/30,09:00:00,0,0.866,30.10,0.0\n2012/07/30,09:15:00,250,0.868,30.30,51.5\n"
)
XLE = (
    '<?xml version="1.0"?><Body_xle><File_info/><Instrument_info><Instrument_type>LTC</Instrument_type>'
    "<Model_number>M10</Model_number><Serial_number>2004321</Serial_number></Instrument_info>"
    "<Instrument_info_data_header><Project_ID>Wells</Project_ID><Location>W7</Location></Instrument_info_data_header>"
    "<Ch1_data_header><Identification>LEVEL</Identification><Unit>m</Unit></Ch1_data_header>"
    "<Ch2_data_header><Identification>TEMPERATURE</Identification><Unit>\u00b0C</Unit></Ch2_data_header><Data>"
    '<Log id="1"><Date>2019/11/20</Date><Time>12:00:00</Time><ms>0</ms><ch1>3.77</ch1><ch2>0.4</ch2></Log>'
    '<Log id="2"><Date>2019/11/20</Date><Time>18:00:00</Time><ms>500</ms><ch1>3.76</ch1></Log></Data></Body_xle>'
)
_HYDROLAB_HEAD = (
    "  Time    Temp      pH  SpCond      DO   Depth   Batt\r\n"
    "HHMMSS   deg C   units   mS/cm   % Sat    feet  volts\r\n\r\n"
)
HYDROLAB = (
    "Log File Name : bay\r\nStarting Date (MMDDYY) : 111703\r\n\fHydrolab DataSonde 3 V1.73\r\n"
    + _HYDROLAB_HEAD
    + "Date (MMDDYY) : 111703\r\n230000   25.74    7.10    1.59    93.4     4.3   14.7&\r\nDate (MMDDYY) : 111803\r\n"
    "000000   25.39    7.20    1.62   ##.##     3.9   14.7&\r\n010000   25.3\x00\r\n\f\r\n"
    + _HYDROLAB_HEAD
    + "Date (MMDDYY) : 111803\r\n000000   25.39    7.20    1.62   ##.##     3.9   14.7&\r\n"
    "Power loss from 111803 010312 to 111803 010312\r\n"
)
HYDROTECH = (
    'MiniSonde4a 22767\r\n"Log File Name : 0109chkn"\r\n"Interval (HHMMSS) : 010000"\r\n\r\n'
    '"Date","Time","","Temp","","Sal","","IBatt",""\r\n"MMDDYY","HHMMSS","","øC","","ppt","","Volts",""\r\n\r\n'
    + "".join(f'01/14/09,{hour:02d}:00:00,"",12.{hour},"*",.46,"",6.2,""\r\n' for hour in range(7, 13))
    + '"Recovery finished at 021209 083030"\r\n'
)
GREENSPAN = (
    "# GREENSPAN\r\n# SN 017837 installed\r\n# C1_ ppm_______ DO__________\r\n# C2_ deg_C_____ Temperature_\r\n"
    "T20070524220000\r\nD1 +0008.84\r\nD2 +0021.21\r\nT20070525000000\r\nD0 10.24 +0000000\r\n"
    "T20070525010000\r\nD2 +0021.08\r\nFFFF\r\n"
)
GREENSPAN_CSV = (
    ",Greenspan data converter .dll Version:  2. 4. 1\r\nSite Name ,GS 025399 SB1S      \r\nSerial Number ,________\r\n"
    "Column Heading,dd/mm/yyyy hh:mm:ss,Type/Comment,Battery,Pressure,EC Raw,Salinity\r\n"
    "Unit,,,(Volts),(Metres),(uS/cm),(psu)\r\nChannel Number,,,0,1,2,3\r\n"
    "Data,03/04/2008 12:15:00,, 9.5, .271,-195,-1E+10\r\n,03/04/2008 12:30:00,, 9.5, .259,31765,21.46\r\n"
)
MACROCTD = (
    '@INSTRUMENT "MacroCTDs", "V0002", 602, 05/18/04\r\n 06/27/06, 11:44:20, 815,10647,602\r\n'
    '+0,"Bat",66,"0",1\r\n 0.0131836,0\r\n+1,"Tmp",85,"1",2\r\n-2,"ÄÄÄ",0,"0",0\r\n+3,"Cnd",69,"1863",1\r\n'
    '@DEPLOYMENT "KLake006 aug"\r\n@AVERAGES\r\n03/04/06,10:30,11.9,30.8,17.505\r\n03/04/06,10:45,11.9,30.9,17.883\r\n'
)
COLUMNS = (
    "==========================\n    Date     Time  Temp   Sal\n   y/m/d hh:mm:ss     C   ppt\n"
    "--------------------------\n10/10/04 11:00:31 23.42  0.00\n10/10/04 12:00:32 24.37  0.01\n"
)
ARCHIVE = (
    "# Station Name:  Brazosd\n# NODATA Value = -9.99\n# Year Month Day Hour Minute Temperature(C) pH SourceFile\n"
    " 2001 09 11 23 0 27.99 -9.99 a.09\n 2001 09 12 0 30 27.94 7.1 a.09\n"
)
MINIDOT = (
    "7392-354869\nOS REV: 1.11 Sensor Cal: 1511389810\nTime (sec),  BV (Volts),  T (deg C),  DO (mg/l),  Q ()\n"
    "1576250220,+3.49,+14.287, +9.654,+1.004\n1576252020,+3.49,+11.875,+10.149,+1.004\n"
)
NDBC = (
    "#YY  MM DD hh mm WDIR  WVHT  PRES  WTMP\n#yr  mo dy hr mn degT     m   hPa  degC\n"
    "2019 08 01 00 00  231 99.00 1017.3  13.5\n2019 08 01 00 10  999  1.07 9999.0  MM\n2019 08 01\n"
)
SPECTRUM = "YY MM DD hh   .030   .040\n96 01 01 00    .06 999.00\n96 01 01 01    .07    .62\n"


CASTAWAY = (
    "% Device,CC1449004\n% File name,CC1449004_20170822\n% Cast time (UTC),2017-08-22 02:39:11\n"
    "% Cast time (local),2017-08-22 12:39:11\n% Start latitude,-36.21\n% Start longitude,150.23\n% \n"
    "Pressure (Decibar),Temperature (Celsius),Specific conductance (MicroSiemens per Centimeter)\n"
    "0.15,16.446,54328.1\n0.45,16.338,54448.2\n"
)


def _odf_parameter(code: str, unit: str, name: str = "") -> str:
    return (
        f"PARAMETER_HEADER,\n  TYPE= 'DOUB',\n  NAME= '{name or code}',\n  UNITS= '{unit}',\n  CODE= '{code}',\n"
        "  NULL_VALUE= '-99.00000000',\n"
    )


ODF = (
    "ODF_HEADER,\n  FILE_SPECIFICATION = 'a',\nEVENT_HEADER,\n  START_DATE_TIME= '16-DEC-2014 14:09:09.00',\n"
    "  INITIAL_LATITUDE= 44.26,\n  INITIAL_LONGITUDE= -63.31,\n  EVENT_COMMENTS= 'Halifax Stn 2',\n"
    "INSTRUMENT_HEADER,\n  INST_TYPE= 'Sea-Bird',\n  MODEL= 'SBE25',\n  SERIAL_NUMBER= '0116',\n"
    + _odf_parameter("PRES_01", "db")
    + _odf_parameter("TEMP_01", "IPTS-68, deg C")
    + _odf_parameter("QQQQ_01", "none", "Quality Flag for Parameter: TEMP_01")
    + " -- DATA -- \n   0.5    5.885  1\n   1.5   -99.00  9\n"
)
ODF_SERIES = (
    ODF.replace("PARAMETER_HEADER", _odf_parameter("SYTM_01", "GMT") + "PARAMETER_HEADER", 1)
    .replace("   0.5 ", " '16-DEC-2014 14:00:00.00'  0.5 ")
    .replace("   1.5 ", " '16-DEC-2014 15:00:00.00'  1.5 ")
)
_DONAR_HEAD = (
    "[IDT;*DIF*;A;CENT;20190213]\n[W3H]\nPAR;WATHTE;Waterhoogte;J\nEHD;I;cm\nHDH;NAP;peil\n"
    "LOC;VLISSGN;Vlissingen;P;RD;1;2\n"
)
DONAR = _DONAR_HEAD + "TYP;TE\n[RKS]\nTYD;19760101;2300;19760102;0100;60;min\n[WRD]\n122/0:999999999/99:\n-64/25:\n"
DONAR_IRREGULAR = (
    _DONAR_HEAD
    + "TYP;TN\n[RKS]\nTYD;20190101;0405;20190101;1015\n[WRD]\n20190101;0405;2/0;-133:\n20190101;1015;1/0;173:\n"
)


def hj212() -> bytes:
    """Return a capture: a real-time packet, an hour's, and one whose check is wrong."""
    bodies = [
        "ST=32;CN=2011;PW=1;MN=A1;CP=&&DataTime=20240501080000;w01018-Rtd=23.5,w01018-Flag=N&&",
        "ST=32;CN=2061;PW=1;MN=A1;CP=&&DataTime=20240501080000;w01018-Avg=21.5,w01018-Flag=N;w00000-Cou=7.5&&",
    ]
    return b"".join(encode_frame(body.encode()) for body in bodies) + b"##0009ST=32;CN=0000\r\n"


CANDUMP = (
    "# a capture\n  can0  09F8017F   [8]  E8 AC 51 19 BE AB 6D D5\n  can0  09F11280   [8]  00 9C 99 FF 7F F6 F5 FD\n"
)
N2K = "2014-08-15T19:00:00.045Z,3,129033,160,255,8,a9,3f,fc,ed,c4,28,b4,00\n" * 3
CAN_LOG = (
    "(1718000000.000000) can0 200#0A08E81C0320002A\n(1718000000.250000) can0 201#0070300000000000\n"
    "(1718000001.000000) can0 200#F4FFE81C03E80000\n(1718000001.5) can0 7E8#0341057B00000000\n"
    "(1718000002.000000) can0 18FEEE27#3EFEFFFFFFFFFFFF\n(1718000002.000000) can0 1DFD0823#FF01008B72FFFFFF\n"
)
DBC = 'VERSION ""\n\nBO_ 500 IO_DEBUG: 4 IO\n SG_ IO_DEBUG_test : 0|8@1+ (1,0) [0|0] "" DBG\n'


def can_files() -> dict[str, bytes]:
    """Return the frames of `CAN_LOG` as the loggers of three makers write them."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("blf", "asc", "trc"):
            path = Path(folder) / f"log.{suffix}"
            with can.Logger(path) as logger:
                for line in CAN_LOG.splitlines():
                    frame = frame_of_text(line)
                    message = can.Message(
                        timestamp=(frame.time or 0) / 1e6,
                        arbitration_id=frame.identifier,
                        is_extended_id=frame.extended,
                        data=frame.data,
                        channel=1,
                        is_rx=True,
                    )
                    logger.on_message_received(message)
            found[suffix] = path.read_bytes()
    return found


def files() -> dict[str, tuple[str, bytes]]:
    """Return a file of each kind with the format that knows it."""
    return {
        "toa5": ("toa5", TOA5.encode()),
        "tob1": ("tob1", tob1()),
        "csixml": ("csixml", CSIXML.encode()),
        "hobo": ("hobo", HOBO.encode()),
        "hobo connect": ("hobo", HOBO_CONNECT.encode()),
        "kor 2": ("exo", KOR_2.encode("utf-16")),
        "kor 1": ("xlsx", workbook(KOR_1_ROWS)),
        "ysi dat": ("ysi_dat", ysi_dat()),
        "cnv": ("cnv", CNV.encode()),
        "cast": ("cnv", CAST.encode()),
        "binary cnv": ("cnv", binary_cnv()),
        "btl": ("btl", BTL.encode()),
        "rdb": ("rdb", RDB.encode()),
        "waterml 1": ("waterml", WATERML_1.encode()),
        "waterml 2": ("waterml", WATERML_2.encode()),
        "lev": ("solinst_lev", LEV.encode()),
        "solinst csv": ("solinst_csv", SOLINST_CSV.encode("cp1252")),
        "xle": ("solinst_xle", XLE.encode()),
        "hydrolab": ("hydrolab", HYDROLAB.encode()),
        "hydrotech": ("hydrolab_csv", HYDROTECH.encode("cp1252")),
        "greenspan": ("greenspan", GREENSPAN.encode()),
        "greenspan csv": ("greenspan_csv", GREENSPAN_CSV.encode()),
        "macroctd": ("macroctd", MACROCTD.encode("cp1252")),
        "columns": ("columns", COLUMNS.encode()),
        "archive": ("columns", ARCHIVE.encode()),
        "minidot": ("minidot", MINIDOT.encode()),
        "ndbc": ("ndbc", NDBC.encode()),
        "spectrum": ("ndbc", SPECTRUM.encode()),
        "castaway": ("castaway", CASTAWAY.encode()),
        "odf": ("odf", ODF.encode()),
        "odf series": ("odf", ODF_SERIES.encode()),
        "donar": ("donar", DONAR.encode()),
        "donar irregular": ("donar", DONAR_IRREGULAR.encode()),
        "hj212": ("hj212", hj212()),
        "can log": ("can_capture", CAN_LOG.encode()),
        **{name: ("can_capture", content) for name, content in can_files().items()},
        "argo": ("netcdf", argo()),
        "buoy": ("netcdf", buoy()),
        "mooring": ("netcdf", mooring()),
        "waterml json": ("waterml_json", WATERML_JSON.encode()),
    }
