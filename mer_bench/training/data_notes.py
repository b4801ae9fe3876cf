"""What a user, and a reader of a table, should know about the clips of a run."""

from mer_bench.loading.prepared_data import PreparedData
from mer_bench.loading.store_info import difference_note
from mer_bench.protocols.label_schemes import LabelScheme
from mer_bench.protocols.official_counts import absence_note, official_note


def notes_on_data(data: PreparedData, scheme: LabelScheme) -> list[str]:
    """Return one sentence each on data sets that were prepared unlike, and on clips that are not the official ones."""
    notes = [difference_note(data.info)]
    if not data.info['synthetic']:
        notes += [official_note(data.annotations, scheme), absence_note(data.annotations, scheme)]
    return [note for note in notes if note]
