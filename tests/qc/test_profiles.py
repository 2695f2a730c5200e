"""Every shipped profile, for what a reader of a Datastream page relies on."""

from __future__ import annotations

import pytest

from nilometer.model.properties import vocabulary
from nilometer.qc.marks import schemes
from nilometer.qc.profile import Profile, profiles
from nilometer.units import same_dimension

SHIPPED = sorted(profiles().items)


def test_none_of_the_shipped_profiles_is_broken():
    assert profiles().broken == {}
    assert len(SHIPPED) > 70


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_judges_a_property_of_the_vocabulary_in_a_unit_of_its_dimension(name):
    profile = profiles()[name]
    term = vocabulary()[profile.property]
    assert name.split("/")[1] == profile.property
    assert same_dimension(profile.unit, term.unit)
    assert {"gap", "gross_range"} <= profile.required
    assert "mark" in profile.names
    assert profile.title


@pytest.mark.parametrize("name", SHIPPED)
def test_a_stored_profile_version_reads_back_to_the_same_profile(name):
    profile = profiles()[name]
    again = Profile.from_document(profile.to_document(), name=name)
    assert again == profile
    assert again.fingerprint == profile.fingerprint


def test_the_marks_of_hj212_are_read_by_edition():
    new, old = schemes()["hj212-2017"].letters, schemes()["hj212-2005"].letters
    assert new["S"].meaning != old["S"].meaning
    assert set(new) == set("NFMSDCTB")
    assert set(old) == set("NPFCMTDS")
