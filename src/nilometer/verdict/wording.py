"""What a verdict says in words, in English and in the Chinese of the field.

Every sentence a verdict can carry stands here, so that both languages are seen side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nilometer.model.properties import vocabulary

__all__ = ["Words", "names_of", "property_names"]


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence or name in both languages."""

    en: str
    zh: str

    def to_document(self) -> dict[str, str]:
        """Return the two languages by code."""
        return {"en": self.en, "zh": self.zh}


_WATER_BODIES = {
    "river": "河流", "lake": "湖泊", "reservoir": "水库", "sea": "海水", "estuary": "河口", "groundwater": "地下水",
    "drinking_water": "饮用水", "waste_water": "废水", "tank": "水池", "other": "其他水体",
}  # fmt: skip

NOTHING_ASSESSED = Words("no item could be assessed: no class", "无可评价指标，不评定类别")
HYDROGEN_MEAN = Words("mean pH is that of the hydrogen-ion concentration", "pH 均值按氢离子浓度均值计算")
SATURATION_GIVEN = Words("as reported, whether local or sea-level is not known", "仪器给出值，未知为当地或海平面饱和率")
SATURATION_SEA_LEVEL = Words(
    "sea-level saturation at 1 atm, Benson and Krause; above sea level the local saturation is higher",
    "按海平面气压（1 atm）计算，Benson–Krause 公式；高海拔处当地饱和率更高",
)
SATURATION_LOCAL = Words(
    "local saturation at the given air pressure, Benson and Krause", "按给定气压计算的当地饱和率，Benson–Krause 公式"
)


def few_values_decide_ph(hydrogen: float, arithmetic: float, minimum: float) -> Words:
    """Say that the mean of pH is that of a few very low values, which are a dead electrode more often than an acid."""
    return Words(
        f"mean pH {hydrogen:.2f} rests on a few very low values (lowest {minimum:.2f}, arithmetic mean "
        f"{arithmetic:.2f}): judge the data first",
        f"pH 均值{hydrogen:.2f}由少数极低值决定（最低{minimum:.2f}，算术均值{arithmetic:.2f}），请先进行数据质控",
    )


def property_names(key: str) -> Words:
    """Return the names of a property; its key where the vocabulary lacks it."""
    term = vocabulary().get(key)
    return Words(key, key) if term is None else Words(term.name_en, term.name_zh)


def names_of(keys: Iterable[str]) -> Words:
    """Return a list of properties in words."""
    found = [property_names(key) for key in keys]
    return Words(", ".join(name.en for name in found), "、".join(name.zh for name in found))


def no_standard(water_body: str) -> Words:
    """Say that no shipped standard applies to this kind of water."""
    if water_body == "other":
        return Words("no applicable standard for this water", "无适用标准")
    en = water_body.replace("_", " ")
    return Words(f"no applicable standard for {en}", f"无适用标准（{_WATER_BODIES.get(water_body, water_body)}）")


def shorter_than_the_method(period: Words, shortest_days: float) -> Words:
    """Say that the window is shorter than any the method gives a class to."""
    return Words(
        f"indicative: the window is shorter than {shortest_days:g} days; the method assesses {period.en}",
        f"仅供参考：时段短于{shortest_days:g}天；评价办法的评价时段为{period.zh}",
    )


def period_unknown(period: Words) -> Words:
    """Say that the data came without times."""
    return Words(
        f"indicative: the period of the data is not known; the method assesses {period.en}",
        f"仅供参考：数据时段未知；评价办法的评价时段为{period.zh}",
    )


def partial(assessed: int, required: int) -> Words:
    """Say how many of the required items the class rests on."""
    return Words(
        f"the class rests on {assessed} of the {required} items the method requires",
        f"参评指标{assessed}项，评价办法要求{required}项",
    )


def water_body_assumed(water_body: str) -> Words:
    """Say that the kind of water was not given."""
    return Words(
        f"kind of water not given: assessed as a {water_body}", f"未指明水体类型，按{_WATER_BODIES[water_body]}评价"
    )


def saturation_raised(name: str, share: float, basis: Words) -> Words:
    """Say that the saturation route raised dissolved oxygen to its class."""
    return Words(
        f"dissolved oxygen is class {name} by saturation ({share:.1f} %, {basis.en})",
        f"溶解氧按饱和率评为{name}类（{share:.1f}%，{basis.zh}）",
    )


def unjudged(n: int) -> Words:
    """Say that some data carry no quality flag."""
    return Words(
        f"{n} values were not judged (NOT_EVALUATED) and are included", f"{n}个数据未经质控（NOT_EVALUATED），已计入"
    )


def left_out(failed: int, missing: int) -> Words:
    """Say what was left out."""
    return Words(
        f"left out: {failed} values flagged FAIL, {missing} MISSING",
        f"已剔除：不合格（FAIL）{failed}个，缺失（MISSING）{missing}个",
    )


def doubtful(n: int) -> Words:
    """Say that suspect values are in, and that the verdict is also given without them."""
    return Words(
        f"{n} values flagged SUSPECT are included; the verdict without them stands beside",
        f"{n}个可疑（SUSPECT）数据已计入，同时给出剔除后的评价结论",
    )


def samples_left_out(n: int) -> Words:
    """Say that values of standards and samples were left out."""
    return Words(
        f"left out: {n} values of check or calibration samples, which are not the water",
        f"已剔除质控样、标样等非水体数据{n}个",
    )


def below_detection(n: int, how: str) -> Words:
    """Say how values below the detection limit entered the mean."""
    en, zh = {
        "half": ("half the detection limit", "检出限的一半"),
        "limit": ("the detection limit", "检出限"),
        "zero": ("zero", "零"),
    }[how]
    return Words(f"{n} values below detection entered as {en}", f"{n}个未检出数据按{zh}参与统计")


def above_range(n: int) -> Words:
    """Say that values above the range entered as the range."""
    return Words(
        f"{n} values above the measuring range entered as its limit: the true mean is higher",
        f"{n}个超量程数据按量程上限计，实际均值更高",
    )


def not_an_item(names: Words) -> Words:
    """Say which properties the standard has no item for."""
    return Words(f"no item of this standard: {names.en}", f"非本标准评价指标：{names.zh}")


def not_the_same(given: Words, wanted: Words) -> Words:
    """Say that a property was given that is easily mistaken for an item."""
    return Words(
        f"{given.en} is not {wanted.en} and was not assessed as it", f"{given.zh}不等同于{wanted.zh}，未按其评价"
    )
