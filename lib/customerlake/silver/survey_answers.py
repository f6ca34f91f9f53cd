"""silver.survey_answers: invitations to surveys, and their answers; see `silver/typed.py`."""

from customerlake.bronze.sources import survey_answers
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

SURVEY_ANSWERS = silver_table(survey_answers.SURVEY_ANSWERS, "silver.survey_answers")
REJECTED_SURVEY_ANSWERS = quarantine_table(SURVEY_ANSWERS)
