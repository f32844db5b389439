"""Groups of settings whose class is selected by one of their own settings, the tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class TaggedBy:
    """Annotation of a settings field: a tag in the group selects the group's settings class.

    The recognizer is selected by ``name`` and the clip input by ``input``. Only the class that the tag
    selects is loaded, so that an installed package may offer one.
    """

    tag: str
    """Name of the setting that selects the class."""
    default: str
    """Tag of a group that does not set it."""
    find: Callable[[str], type[BaseModel]]
    """Returns the settings class of a tag; raises InputError if there is none."""

    def find_class(self, values: Mapping[str, object]) -> type[BaseModel]:
        """Return the settings class of a group, given as plain values.

        Raises:
            InputError: if no class has the group's tag.
        """
        return self.find(str(values.get(self.tag, self.default)))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._parse, handler(source))

    def _parse(self, value: object) -> object:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "not_a_table", "must be a table, e.g. { {tag} = '{default}' }",
                {"tag": self.tag, "default": self.default},
            )  # fmt: skip
        try:
            settings = self.find_class(value)
        except InputError as error:
            fault = PydanticCustomError("value_error", "{text}", {"text": str(error)})
            details = InitErrorDetails(type=fault, loc=(self.tag,), input=value.get(self.tag))
            raise ValidationError.from_exception_data(type(self).__name__, [details]) from error
        return settings.model_validate(value)
