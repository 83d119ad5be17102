"""Parameter Store: images by name."""

from botocore.exceptions import ClientError

from viridian import names
from viridian.aws import clients
from viridian.errors import Refusal
from viridian.image import is_id

_FIELD = "source.parameter"


def image(name: str) -> str:
    """The image id that a parameter holds now; a Refusal if it holds none. What else it may hold is never shown."""
    try:
        parameter = clients.reader("ssm").get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        raise _refusal(name, error.response["Error"]["Code"], error) from error
    if parameter["Type"] != "String" or not is_id(parameter["Value"]):
        raise Refusal(
            _FIELD, f"{name} holds no image id", "Use a parameter of type String that holds ami-...."
        )
    return str(parameter["Value"])


def _refusal(name: str, code: str, error: ClientError) -> Refusal | ClientError:
    if code in ("ParameterNotFound", "ParameterVersionNotFound"):
        return Refusal(_FIELD, name, "Use a parameter that exists in this account and Region.")
    if code == "AccessDeniedException":
        lend = f"aws ssm add-tags-to-resource --resource-type Parameter --resource-id {name.split(':')[0]}"
        fix = f"Tag it, with your own credentials: {lend} --tags Key={names.MANAGED},Value=true"
        return Refusal(_FIELD, f"{name} may not be read", fix)
    return error
