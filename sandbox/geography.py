"""Countries and states that Partner Center and the BSS know about.

About sixty real countries; states only where one of the two services asks for them. Partner
Center's validation rules and the BSS organisations' lists both come from here, so that what one
service calls valid the other can look up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """A state or province by its short code."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Country:
    """A country by ISO 3166-1 alpha-2 code.

    Attributes:
        code: Upper-case ISO code.
        name: English name.
        calling_code: International dialling code, digits only.
        culture: Default culture of customers there.
        postal_regex: Pattern that Partner Center publishes, or None.
        phone_regex: Pattern that Partner Center publishes, or None.
        is_state_required: Whether Partner Center demands a state.
        states: Empty where Partner Center has no list.
    """

    code: str
    name: str
    calling_code: str
    culture: str
    postal_regex: str | None = None
    phone_regex: str | None = None
    is_state_required: bool = False
    states: tuple[State, ...] = ()


_STATES = {
    "US": (
        "AK:Alaska|AL:Alabama|AR:Arkansas|AZ:Arizona|CA:California|CO:Colorado|CT:Connecticut|"
        "DC:District of Columbia|DE:Delaware|FL:Florida|GA:Georgia|HI:Hawaii|IA:Iowa|ID:Idaho|"
        "IL:Illinois|IN:Indiana|KS:Kansas|KY:Kentucky|LA:Louisiana|MA:Massachusetts|MD:Maryland|"
        "ME:Maine|MI:Michigan|MN:Minnesota|MO:Missouri|MS:Mississippi|MT:Montana|"
        "NC:North Carolina|ND:North Dakota|NE:Nebraska|NH:New Hampshire|NJ:New Jersey|"
        "NM:New Mexico|NV:Nevada|NY:New York|OH:Ohio|OK:Oklahoma|OR:Oregon|PA:Pennsylvania|"
        "RI:Rhode Island|SC:South Carolina|SD:South Dakota|TN:Tennessee|TX:Texas|UT:Utah|"
        "VA:Virginia|VT:Vermont|WA:Washington|WI:Wisconsin|WV:West Virginia|WY:Wyoming"
    ),
    "CA": (
        "AB:Alberta|BC:British Columbia|MB:Manitoba|NB:New Brunswick|"
        "NL:Newfoundland and Labrador|NS:Nova Scotia|NT:Northwest Territories|NU:Nunavut|"
        "ON:Ontario|PE:Prince Edward Island|QC:Quebec|SK:Saskatchewan|YT:Yukon"
    ),
    "AU": (
        "ACT:Australian Capital Territory|NSW:New South Wales|NT:Northern Territory|"
        "QLD:Queensland|SA:South Australia|TAS:Tasmania|VIC:Victoria|WA:Western Australia"
    ),
    "CN": (
        "AH:Anhui|BJ:Beijing|CQ:Chongqing|FJ:Fujian|GD:Guangdong|GS:Gansu|GX:Guangxi|GZ:Guizhou|"
        "HA:Henan|HB:Hubei|HE:Hebei|HI:Hainan|HL:Heilongjiang|HN:Hunan|JL:Jilin|JS:Jiangsu|"
        "JX:Jiangxi|LN:Liaoning|NM:Inner Mongolia|NX:Ningxia|QH:Qinghai|SC:Sichuan|SD:Shandong|"
        "SH:Shanghai|SN:Shaanxi|SX:Shanxi|TJ:Tianjin|XJ:Xinjiang|XZ:Tibet|YN:Yunnan|ZJ:Zhejiang"
    ),
    "BR": (
        "AC:Acre|AL:Alagoas|AM:Amazonas|AP:Amapá|BA:Bahia|CE:Ceará|DF:Distrito Federal|"
        "ES:Espírito Santo|GO:Goiás|MA:Maranhão|MG:Minas Gerais|MS:Mato Grosso do Sul|"
        "MT:Mato Grosso|PA:Pará|PB:Paraíba|PE:Pernambuco|PI:Piauí|PR:Paraná|RJ:Rio de Janeiro|"
        "RN:Rio Grande do Norte|RO:Rondônia|RR:Roraima|RS:Rio Grande do Sul|SC:Santa Catarina|"
        "SE:Sergipe|SP:São Paulo|TO:Tocantins"
    ),
    "IN": (
        "AP:Andhra Pradesh|AR:Arunachal Pradesh|AS:Assam|BR:Bihar|CG:Chhattisgarh|DL:Delhi|"
        "GA:Goa|GJ:Gujarat|HP:Himachal Pradesh|HR:Haryana|JH:Jharkhand|JK:Jammu and Kashmir|"
        "KA:Karnataka|KL:Kerala|MH:Maharashtra|MN:Manipur|MP:Madhya Pradesh|OD:Odisha|PB:Punjab|"
        "RJ:Rajasthan|TN:Tamil Nadu|TS:Telangana|UK:Uttarakhand|UP:Uttar Pradesh|WB:West Bengal"
    ),
}
_STATE_REQUIRED = frozenset({"US", "CA", "AU", "CN", "BR", "IN"})
_POSTAL = {
    "US": r"^\d{5}(-\d{4})?$",
    "CN": "^[0-9]{6,6}$",
    "DE": "^[0-9]{5,5}$",
    "PT": r"^\d{4}(-\d{3})?$",
    "CA": r"^[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d$",
    "AU": r"^\d{4}$",
    "IN": r"^\d{6}$",
    "BR": r"^\d{5}-?\d{3}$",
    "GB": r"^[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}$",
    "FR": r"^\d{5}$",
    "ES": r"^\d{5}$",
    "IT": r"^\d{5}$",
    "PL": r"^\d{2}-\d{3}$",
    "JP": r"^\d{3}-?\d{4}$",
    "NL": r"^\d{4} ?[A-Za-z]{2}$",
}
_PHONE = {
    "US": r"^(1[ \-\/\.]?)?(\((\d{3})\)|(\d{3}))[ \-\/\.]?(\d{3})[ \-\/\.]?(\d{4})$",
    "CA": r"^(1[ \-\/\.]?)?(\((\d{3})\)|(\d{3}))[ \-\/\.]?(\d{3})[ \-\/\.]?(\d{4})$",
}
_COUNTRIES = """
AE United Arab Emirates;971;ar-AE
AR Argentina;54;es-AR
AT Austria;43;de-AT
AU Australia;61;en-AU
BE Belgium;32;nl-BE
BG Bulgaria;359;bg-BG
BR Brazil;55;pt-BR
CA Canada;1;en-CA
CH Switzerland;41;de-CH
CL Chile;56;es-CL
CN China;86;zh-CN
CO Colombia;57;es-CO
CY Cyprus;357;el-CY
CZ Czechia;420;cs-CZ
DE Germany;49;de-DE
DK Denmark;45;da-DK
EE Estonia;372;et-EE
EG Egypt;20;ar-EG
ES Spain;34;es-ES
FI Finland;358;fi-FI
FR France;33;fr-FR
GB United Kingdom;44;en-GB
GR Greece;30;el-GR
HK Hong Kong SAR;852;zh-HK
HR Croatia;385;hr-HR
HU Hungary;36;hu-HU
ID Indonesia;62;id-ID
IE Ireland;353;en-IE
IL Israel;972;he-IL
IN India;91;en-IN
IS Iceland;354;is-IS
IT Italy;39;it-IT
JP Japan;81;ja-JP
KE Kenya;254;en-KE
KR Korea;82;ko-KR
KZ Kazakhstan;7;kk-KZ
LT Lithuania;370;lt-LT
LU Luxembourg;352;fr-LU
LV Latvia;371;lv-LV
MA Morocco;212;ar-MA
MT Malta;356;en-MT
MX Mexico;52;es-MX
MY Malaysia;60;ms-MY
NG Nigeria;234;en-NG
NL Netherlands;31;nl-NL
NO Norway;47;nb-NO
NZ New Zealand;64;en-NZ
PE Peru;51;es-PE
PH Philippines;63;en-PH
PL Poland;48;pl-PL
PT Portugal;351;pt-PT
RO Romania;40;ro-RO
RS Serbia;381;sr-RS
SA Saudi Arabia;966;ar-SA
SE Sweden;46;sv-SE
SG Singapore;65;en-SG
SI Slovenia;386;sl-SI
SK Slovakia;421;sk-SK
TH Thailand;66;th-TH
TR Türkiye;90;tr-TR
UA Ukraine;380;uk-UA
US United States;1;en-US
ZA South Africa;27;en-ZA
"""


def _states(code: str) -> tuple[State, ...]:
    pairs = (item.split(":") for item in _STATES.get(code, "").split("|") if item)
    return tuple(State(short, name) for short, name in pairs)


def _country(line: str) -> Country:
    code, _, rest = line.partition(" ")
    name, calling_code, culture = rest.split(";")
    return Country(
        code=code,
        name=name,
        calling_code=calling_code,
        culture=culture,
        postal_regex=_POSTAL.get(code),
        phone_regex=_PHONE.get(code),
        is_state_required=code in _STATE_REQUIRED,
        states=_states(code),
    )


COUNTRIES: dict[str, Country] = {
    country.code: country for country in map(_country, _COUNTRIES.strip().splitlines())
}
