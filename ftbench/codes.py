"""Every diagnostic code, once: its name in the code, its number, and what it means.

A number is never used again for something else. A check of the ladder has its code in its own file, with its sentence;
`ftbench list diagnostics` and docs/diagnostics.md have them all. The app writes codes of its own into `error.json`: the
same as in its module `errors`, which only tests may import.
"""

from __future__ import annotations

MEANINGS: dict[str, str] = {}
"""Number → what it means, in the order of numbers; without those of checks."""


def _code(number: str, meaning: str) -> str:
    if number in MEANINGS:
        raise ValueError(f"diagnostic code {number} is there twice")
    MEANINGS[number] = meaning
    return number


# FTB1xx: specs and pins
CANNOT_READ = _code("FTB100", "a file cannot be read")
BAD_TEXT = _code("FTB101", "a file is not UTF-8 text, or holds characters that are not allowed")
SYNTAX = _code("FTB102", "a file is not YAML")
UNKNOWN_FIELD = _code("FTB103", "a field that this block does not have")
REPEATED_KEY = _code("FTB104", "a key stands twice in one mapping")
MISSING_FIELD = _code("FTB105", "a required field is missing")
WRONG_TYPE = _code("FTB106", "a value of another type or form than the field asks for")
OUT_OF_LIMITS = _code("FTB107", "a value outside the limits of its field")
YAML_FEATURE = _code(
    "FTB108", "a feature of YAML that is not read: tags, anchors, aliases, merge keys, several documents"
)
BAD_NUMBER = _code("FTB109", "a number that cannot be kept exactly: infinite, not a number, or 2^53 and above")
TOO_LARGE = _code("FTB110", "a file is too large or nested too deeply")
NOT_A_CHOICE = _code("FTB111", "a word that is not one of those allowed")
RESERVED = _code("FTB112", "planned, but not supported yet")
EXTENDS = _code("FTB113", "`extends` cannot be followed")
UNKNOWN_SPEC = _code("FTB114", "neither a file nor the name of a built-in spec")
TEMPLATE = _code("FTB120", "a template that cannot be read")
TEMPLATE_COLUMN = _code("FTB121", "a template names a column that `columns` does not have")
JOINT = _code("FTB122", "white space at the wrong side of the joint between prompt and completion")
DUPLICATE = _code("FTB123", "the same value twice in a list where each may stand once")
ANSWER_COLUMN = _code("FTB124", "the answer's column is not one of `columns`")
NO_EFFECT = _code("FTB125", "a setting that changes nothing")
CONTRADICTION = _code("FTB126", "two fields that cannot hold together")
ONE_LINE = _code("FTB127", "a line break where one line is expected")
SOURCE = _code("FTB128", "a source whose fields do not fit one another")
MISSING_PARAMETER = _code("FTB129", "a field that the chosen kind, scoring or checkpoint needs")
KNOB_PATH = _code("FTB130", "a field that cannot be a knob")
KNOB_RANGE = _code("FTB131", "a knob's range that makes no sense for its field")
KNOB_DEFAULT = _code("FTB132", "the spec's own value lies outside the knob's range")
PARTITION_COLUMN = _code("FTB133", "a partition goes by a column that is not one of `data.columns`")
BUILTIN_MODEL = _code("FTB134", "a built-in base model, or a revision of one, that does not exist")
NO_PINS = _code("FTB190", "the pins file is missing")
BAD_PINS = _code("FTB191", "the pins file cannot be used")
STALE_PINS = _code("FTB192", "a pin was made from other inputs than the spec's")
PIN_SOURCES = _code("FTB193", "the pins name other sources than the spec")
PIN_SIZES = _code("FTB194", "partition sizes in the pins do not fit rows or clients")
UNRESOLVED = _code("FTB195", "a source, commit or partition that `ftbench lock` has not resolved yet")

# FTB2xx: entries and knobs
FROZEN = _code("FTB201", "an entry sets what the spec freezes")
UNKNOWN_KNOB = _code("FTB202", "an entry sets a path that the spec does not have")
KNOB_VALUE = _code("FTB203", "a knob's value is outside its range or breaks the spec's rules")
SET_SYNTAX = _code("FTB204", "`--set` is not PATH=VALUE")
MODEL_SYNTAX = _code("FTB205", "`--model` is not NAME or NAME@REVISION")
MODEL_REVISION = _code("FTB206", "a base model without an exact revision")
SEED = _code("FTB207", "a seed that the spec does not list")
MISSING_KNOB = _code("FTB208", "a resolved entry lacks a knob")
UNKNOWN_PATH = _code("FTB209", "a path that the spec does not have")
VARY_SYNTAX = _code("FTB210", "`--vary` is not PATH=VALUE,VALUE, or varies what a sweep cannot")
OPEN_CODE = _code("FTB230", "a module that an entry in the open division brings cannot be used")

# FTB3xx: pins, data and store
MISSING_DATA = _code("FTB301", "rows or a partition are not in the store")
MISSING_MODEL = _code("FTB302", "a base model is not in the store")
CORRUPT = _code("FTB303", "a file in the store does not have the digest that it is named by")
UNKNOWN_DATA_SET = _code("FTB304", "a data source names a built-in data set that does not exist")
UNKNOWN_SPLIT = _code("FTB305", "a data source names a split that the data set does not have")
UNKNOWN_COLUMN = _code("FTB306", "`columns` names a column that the source does not have")
BAD_VALUE = _code("FTB307", "a row holds a value that has no canonical form")
TOO_FEW_ROWS = _code("FTB308", "there are fewer training rows than clients")
CANNOT_DEAL = _code("FTB309", "the training rows cannot be dealt to the clients as the partition says")
NOT_WRITABLE = _code("FTB310", "the store cannot be written to")
FILE_OUTSIDE = _code("FTB311", "a local file lies outside the spec's folder tree")
FILE_CHANGED = _code("FTB312", "a local file is no longer the one that was locked")
CARRIAGE_RETURN = _code("FTB313", "values of a local file hold line ends of Windows")
ARCHIVE = _code("FTB314", "an archive of data is none, or holds what it should not")
NO_LOCAL_MODEL = _code("FTB315", "a folder or file is no base model that could be taken into the store")
OWN_BENCHMARK = _code("FTB316", "pins other than the published ones make an official spec a benchmark of one's own")
HINT = _code("FTB317", "the hub's rows are not those that a copy elsewhere had, or the hints cannot be read")
NO_DRAFT = _code("FTB319", "a spec cannot be drafted from these files")
STALE_SOURCE = _code("FTB320", "a source's pin was made from another `source` or `columns` than the spec has")
STALE_PARTITION = _code(
    "FTB321", "the partition's pin was made from other rows, clients, partition or seed than the spec has"
)
DRIFTED_SOURCE = _code("FTB322", "a source gives other rows than were pinned")
DRIFTED_PARTITION = _code("FTB323", "the partition comes out otherwise than was pinned")
PIN_SET = _code("FTB324", "the pins lack a source of the spec, or hold one that the spec does not have")
NOT_COMPARED = _code("FTB325", "a pinned source could not be compared because its rows are not here")
DATA_UNRESOLVED = _code("FTB326", "pins are not resolved yet: the data behind them has not been loaded")
OTHER_ROWS = _code("FTB327", "a source gives other rows than its pin says; they were thrown away")
NO_ROWS = _code("FTB328", "a source gives no rows")
OVERLAP = _code("FTB329", "items of a test set occur in the training data")
NO_FILE = _code("FTB330", "there is no file that a source names, or it is none")
FILE_KIND = _code("FTB331", "a file has an ending or a path that is never loaded")
UNREADABLE = _code("FTB332", "a data file is not what `format` says")
NORMALISER = _code("FTB333", "a source names a normaliser that does not exist")
LAYOUT = _code("FTB334", "rows do not have the layout that their normaliser expects")
DATA_TOO_LARGE = _code("FTB335", "a file or archive is larger than data may be")
OTHER_COUNT = _code("FTB336", "a source comes to another number of rows than the spec says")
FIELD_COUNT = _code("FTB337", "a row of a CSV file has another number of fields than its header")
MIXED_TYPES = _code("FTB338", "a column holds values of more than one type")
COLUMN_TYPE = _code("FTB339", "a value is not of the type that its column has or may have")
UNREACHABLE = _code("FTB340", "the hub could not be reached")
NO_REPOSITORY = _code("FTB341", "a repository is not on the hub, or not for this token")
NO_REVISION = _code("FTB342", "a repository does not have that commit, or no longer")
GATED = _code("FTB343", "a repository gives its files only to accounts that accepted its conditions")
RATE_LIMITED = _code("FTB344", "the hub asks for fewer requests, and still did after several waits")
HUB_FAILED = _code("FTB345", "the hub answered with an error, and still did after several tries")
OTHER_FILE = _code("FTB346", "a file does not have the digest that was promised")
NO_ROOM = _code("FTB347", "the disk has no room for a download")
SITE_ROWS = _code("FTB348", "training rows are at their sites, and something needs them here")
SITE_LOCKS = _code("FTB349", "what sites locked is not what the spec asks for")
NO_SAFETENSORS = _code("FTB350", "a base model has no weights in safetensors files")
REMOTE_CODE = _code("FTB351", "a base model names code of its own, which is never run")
MODEL_NAME = _code("FTB352", "a base model is not named as OWNER/NAME or OWNER/NAME@COMMIT")
ROW_VALUE = _code("FTB360", "a row's value is none that a template can take: null, or neither text nor a whole number")
NO_OPTION = _code("FTB361", "an item's answer is neither the index nor the text of one of its options")
EMPTY_TEXT = _code("FTB362", "an item has an empty prompt, option, test or entry point, or no training row an answer")
REPEATED_ITEM = _code("FTB363", "an item of a test set is there more than once")
TEACHES_NOTHING = _code("FTB364", "training rows are left out because they teach nothing")
PROMPT_END = _code("FTB365", "a filled prompt ends in white space")
STOP_CUTS = _code("FTB366", "a stop string cuts the authors' solution of a programming problem")

# FTB4xx: compiling
FAB_REFUSED = _code("FTB401", "Flower's builder refuses the app")
PUBLISHED_DIFFERS = _code("FTB402", "a published version exists with other bytes")
NOT_A_FOLDER = _code("FTB403", "the output path is not a folder")
CANNOT_WRITE = _code("FTB404", "the compiled benchmark cannot be written")
NOT_COMPILED = _code("FTB405", "there is no compiled benchmark in that folder")
LOCK_BROKEN = _code("FTB406", "a compiled benchmark does not agree with its own lock")
DRIFT = _code("FTB407", "the compiled benchmark differs from what its spec compiles to")
OTHER_FLOWER = _code("FTB408", "another version of Flower is installed than the one whose builder makes the app bundle")

# FTB5xx: running and scoring
BUSY = _code("FTB500", "the run folder is in use by another ftbench")
NOT_A_RUN = _code("FTB501", "a folder is not a run folder, or its files do not belong together")
OTHER_STACK = _code("FTB502", "installed packages differ from the versions that the plan fixes")
DISK_FULL = _code("FTB504", "too little free disk space")
NO_ENGINE = _code("FTB505", "no such engine")
OTHER_SEED = _code("FTB506", "the entry's seed is none of the spec's")
NOT_FINISHED = _code("FTB507", "the run ended without a finished ledger")
TOO_FEW_REPLIES = _code("FTB508", "the run was stopped: too few usable replies")
OVER_BUDGET = _code("FTB509", "the run was stopped: a hard budget would be exceeded")
OPERATOR_LIMIT = _code("FTB510", "the run was stopped: a limit that the operator set")
LEDGER_BROKEN = _code("FTB511", "the ledger does not hold together")
COMPILED_CHANGED = _code("FTB512", "the compiled benchmark is not what its lock says")
OTHER_RUN = _code("FTB513", "the folder of a sweep's run holds something else")
APP_REFUSED = _code("FTB514", "a site does not run an app: it is not on its list, not whole or not signed")
REPLY_HELD = _code("FTB515", "a site held a reply back that says more than a reply may")
NOT_SEALED = _code("FTB516", "a site's app cannot be sealed off in a sandbox")
NO_SECRET = _code("FTB517", "the secret that a SuperLink asks of its ServerApps is missing, or another one")
NODE_FOLDER = _code("FTB518", "a site's folder, or a kit for one, is not whole")
NO_FLOWER = _code("FTB520", "Flower or one of its commands is not installed beside this Python")
NO_SUPERLINK = _code("FTB521", "the SuperLink did not start")
REFUSED = _code("FTB522", "Flower did not accept the app or its configuration")
OTHER_FAB = _code("FTB523", "the Flower app bundle that was run is not the one in the lock")
STALLED = _code("FTB524", "no progress for longer than the round's time limit")
FLOWER_FAILED = _code("FTB525", "Flower reports that the run failed or was stopped")
SUPERLINK_DIED = _code("FTB526", "the SuperLink died while the run was going on")
LEFTOVERS = _code("FTB527", "processes of the run could not be ended")
NO_CONNECTION = _code("FTB528", "Flower's configuration has no such connection to a SuperLink")
UNREACHED = _code("FTB529", "the ServerApp does not see the run's folder")
GOES_ON = _code("FTB530", "a run on a SuperLink could not be stopped")
NO_DEVICE = _code("FTB531", "there are no CUDA devices to deal out")
NOT_PRIVATE = _code("FTB532", "Flower's engine cannot have a network of its own: other users could reach the run")
INTRUDED = _code("FTB533", "another app was submitted to the SuperLink of a run")
CELL_ENDED = _code("FTB534", "the process of a sweep's cell ended without saying why")
OPEN_MODULES = _code("FTB535", "the modules of an entry in the open division are not those that it names")
OPEN_NOT_ALLOWED = _code("FTB536", "an entry brings code of its own, and nobody said that it may be run")
NOTHING_TO_LEARN = _code("FTB537", "a client, or the validation cut, has no row that the base model can learn from")
WORKER_FAILED = _code("FTB560", "the evaluation ended without a result")
OUT_OF_MEMORY = _code("FTB561", "the evaluation ran out of memory")
PACKAGE_MISSING = _code("FTB562", "a package that evaluation needs is not installed")
TOO_LONG = _code("FTB564", "a prompt with its option is longer than the model can read")
NO_TOKENS = _code("FTB565", "an empty prompt or option cannot be scored")
NOT_FINITE = _code("FTB566", "the model gave a log-likelihood that is not finite")
ADAPTER_UNFIT = _code("FTB567", "the adapter does not fit the base model")
MODEL_UNFIT = _code("FTB568", "the base model cannot be loaded")
ITEMS_UNFIT = _code("FTB569", "the task's items cannot be asked")
HARNESS_DISAGREES = _code("FTB570", "the harness's own accuracy differs from the one computed from its samples")
EVALUATION_NOT_A_RUN = _code("FTB571", "a run folder lacks what evaluation needs")
NO_CHAT_TEMPLATE = _code("FTB572", "the spec asks for the model's chat template and its tokenizer has none")
NO_SANDBOX = _code("FTB573", "generated programs can't be run here: no sandbox, or no toolchain for their language")
REFERENCE_MISSING = _code("FTB575", "the adapter of a reference that the spec asks for is not there")
QUANTIZATION_UNFIT = _code("FTB576", "the base model can't be loaded with the bits that the spec asks for")
CONTROL_TOKEN = _code("FTB577", "the tokenizer makes a control token of plain text")
NO_KERNEL = _code("FTB578", "an attention kernel that the entry chose is not on this machine")

# FTB6xx: bundles and verification
NOT_STRICT_JSON = _code("FTB601", "a document of a bundle is not strict JSON")
NOT_THE_SCHEMA = _code("FTB602", "a document of a bundle does not fit its schema")
NO_BUNDLE = _code("FTB603", "there is no bundle at this path")
NOT_PACKED = _code("FTB604", "a bundle cannot be packed as it is")
BAD_LEDGER = _code("FTB605", "a ledger is malformed")
BAD_ADAPTER = _code("FTB606", "an adapter file is malformed")
BAD_SAMPLES = _code("FTB607", "a samples file is malformed")
RUN_LACKS_FILE = _code("FTB609", "a run folder lacks something that the bundle needs")
NO_SAMPLES = _code("FTB680", "there is nothing to score: no task, or a task without items")
WRONG_LENGTH = _code("FTB681", "a sample has not one log-likelihood for each option")
RESULT_NOT_FINITE = _code("FTB682", "a log-likelihood is not a finite number of at most 0")
WRONG_TARGET = _code("FTB683", "a sample's target is none of its options")
NO_ANSWER = _code("FTB684", "a sample lacks what the task's scoring looks at, or has what it does not ask for")
NO_TASK = _code("FTB685", "there are samples of a task that the spec has not")
REFERENCES_DIFFER = _code("FTB686", "the samples do not all have the same references")
BROKEN = _code("FTB687", "the sandbox failed, not the program in it")
NOT_REACHED = _code("FTB691", "a bundle did not reach the level asked for")
CRASHED = _code("FTB699", "a check could not be carried out to its end; the bundle counts as refused")

# FTB7xx: tables
NO_BUNDLES = _code("FTB701", "there is no result bundle in the folders given")
BOARD_UNREADABLE = _code("FTB702", "a result bundle cannot be opened")
BELOW_LEVEL = _code("FTB703", "a result bundle is below the level that the leaderboard requires")
NO_RESULT = _code("FTB704", "a result bundle holds no result or entry that could be read")
SMOKE = _code("FTB705", "the result of a shortened trial run is never ranked")
COPY = _code("FTB706", "a copy of a bundle that is there already; it is counted once")
TAMPERED_COPY = _code("FTB707", "a copy of another bundle, by its manifest, that is not whole or was changed")
NOT_COMPARABLE = _code("FTB708", "two runs of different spec hashes are not compared")
SPECS_NOT_RUNS = _code("FTB709", "`diff` compares specs, and was given a run or a bundle")
NOTHING_TO_COMPARE = _code("FTB710", "a side of `compare` is no run, bundle or entry that could be compared")
WITHDRAWN = _code("FTB711", "a result bundle that was taken back, by the list of withdrawn bundles")
NOT_A_SITE = _code("FTB712", "the folder to write a site to holds something that is no site of ftbench")
BAD_PUBLISHED = _code("FTB713", "a list of published scores cannot be read")
NO_REPORT = _code("FTB714", "a folder holds no run that a report could be written about")
NOTHING_FOR_THE_HUB = _code("FTB715", "a result has no task that the hub has a data set of")

# FTB75x to FTB79x: signatures, decisions, claims and recorded answers
NO_SSH_KEYGEN = _code("FTB750", "signatures are made and verified by OpenSSH's ssh-keygen, which is not here")
BAD_SIGNATURE = _code("FTB751", "a file is no signature in the form that OpenSSH writes")
CANNOT_SIGN = _code("FTB752", "a document or key with which nothing can be signed")
SIGNATURE_BROKEN = _code("FTB753", "a signature that does not hold: other bytes, or made for another purpose")
UNKNOWN_SIGNER = _code("FTB754", "a signature by nobody on the list of signers, or not at that time, or revoked")
NO_SIGNERS = _code("FTB755", "a list of signers or of revoked keys is not there")
NOT_SIGNED = _code("FTB756", "a document that should be signed is not")
BAD_TABLE = _code("FTB760", "a file is no table of scores on the test sets of the spec")
CLAIM_OUT_OF_RANGE = _code("FTB761", "a claimed score is below 0 or above 100 %")
CLAIM_SCALE = _code("FTB762", "a claimed score is a percentage among fractions, or a fraction among percentages")
CLAIM_NO_COUNT = _code("FTB763", "no count of right answers gives a claimed score, rounded or cut off")
CLAIM_OTHER_COUNT = _code("FTB764", "a claimed score fits the number of items of another test set only")
CLAIM_SWAPPED = _code("FTB765", "two claimed scores fit each other's test sets only")
CLAIM_REPEATED = _code("FTB766", "claimed scores stand twice: on two test sets, or in two rows")
CLAIM_MEAN = _code("FTB767", "a claimed mean is not the mean of the scores beside it")
CLAIM_CONSTANT = _code("FTB768", "a claimed score is not above what one constant answer gets")
BAD_ANSWERS = _code("FTB770", "a file holds no answers in a form that is read, or none that a scoring can use")
OTHER_ITEMS = _code("FTB771", "recorded answers are not to the items of the task, each once")
BAD_DECISIONS = _code("FTB780", "a chain of decisions does not hold together, or what was added does not follow")
OTHER_BUNDLE = _code("FTB781", "what lies at the place of a submission is not the bundle that was handed in")
UNREACHED_BUNDLE = _code("FTB782", "the place of a submission cannot be reached")
NOT_RECEIVED = _code("FTB783", "a submission that was never received")
MEDDLED = _code("FTB784", "a submission changes what only verifiers write")
NOT_CARRIED = _code("FTB785", "a result cannot be carried to a benchmark that differs in more than evaluation or stack")

# FTB8xx: base models
NO_SUCH_MODEL = _code("FTB801", "no base model of that name is known")
BAD_MODEL_FACTS = _code("FTB802", "a model's config.json cannot be understood")
NO_SUCH_TARGET = _code("FTB803", "an adapter target names no linear layer of the model")
NO_SUCH_ESTIMATE = _code("FTB804", "adapter and precision do not work together")
NO_MODEL_CONFIG = _code("FTB805", "the files of a base model are not here")
OVER_PARAMETERS = _code("FTB806", "a base model is larger than the spec allows, or of a size that cannot be counted")
OVER_TRAINABLE = _code("FTB807", "an adapter trains more parameters than the budget allows")
BELOW_ONE_ROUND = _code("FTB808", "the communication budget does not allow even one round")
OVER_TRAFFIC = _code("FTB809", "the rounds of a run send more than the communication budget allows")
CHOICE_UNCHECKED = _code("FTB810", "base model, targets and budgets were not held against one another")

# FTB85x: doing part of a run again
ARCHIVE_MISSING = _code("FTB850", "a run's archive, or a file of it, is not here")
ARCHIVE_OTHER = _code("FTB851", "an archive is not the one that the bundle names, or is damaged")
REPLAY_FAILED = _code("FTB852", "part of a run could not be done again")
EVIDENCE_OTHER = _code("FTB853", "evidence of a spot-run cannot be read")
NO_OS_NOISE = _code("FTB863", "noise from the operating system does not go with a run")
BAD_POLICY = _code("FTB854", "a reader's policy cannot be read")

# FTB87x: canaries; folders that others hold
CANARIES = _code("FTB870", "canaries cannot be planted among the training rows of a spec")
HELD_BY_ANOTHER = _code("FTB871", "another process holds a folder of decisions, so that nothing can be written into it")

# FTB88x: what is told of values of local files
INNER_MARK = _code("FTB885", "values of a local file begin with a byte order mark")

# FTB9xx: the command line, the environment, generated files
USAGE = _code("FTB901", "the command line was not understood")
BUG = _code("FTB902", "ftbench itself failed: a bug")
SYSTEM_REFUSED = _code("FTB903", "the operating system refused a file or a process")
NO_PACKAGE = _code("FTB904", "a Python package that this command needs is not installed")
SCHEMAS_DRIFTED = _code("FTB905", "files of schemas/ are not what the models generate")
NOT_PUBLISHABLE = _code("FTB908", "a spec cannot be published as it is")
OPTION_NEEDS_OTHER = _code("FTB910", "an option needs another one")
NO_PLAN = _code("FTB911", "a file is no plan of a compiled benchmark")
NO_PATH = _code("FTB912", "a file or folder that the command line names is not there")
NO_CODE = _code("FTB913", "no diagnostic has this code")
TRAINED_ONLY = _code("FTB914", "a run has trained and ends there, as asked: the test set was not read")
SWEEP_FILE = _code("FTB915", "a sweep file cannot be read or contradicts itself")
ANALYSIS = _code("FTB916", "these results cannot be analysed together")
MERGE = _code("FTB917", "an adapter cannot be merged into its base model")
SELECTION = _code("FTB918", "a sweep cannot choose its settings by validation as asked")
NO_FLOWER_APP = _code("FTB920", "a folder holds no FlowerTune app that can be read")
APP_NOT_TOLD = _code("FTB921", "something of an app that its files do not tell")
BAD_CHECKPOINT = _code("FTB922", "a checkpoint holds no LoRA adapter that can be read safely")
NO_WORDING = _code("FTB923", "an app's prompt cannot be told from its text")
NODE_CLOCK = _code("FTB924", "a site's clock is further from the SuperLink's than it accepts")
NODE_REFUSED = _code("FTB925", "a SuperLink does not take a site's node")
NODE_RUNS = _code("FTB926", "a node of a site's folder runs already")

APP: dict[str, str] = {
    "FTB540": "a setting of the compiled app is missing or malformed",
    "FTB541": "a module of the compiled app is not the one that its plan names",
    "FTB542": "the compiled app's plan is not the one that `spec-hash` names",
    "FTB543": "an installed package is not of the version that the plan names",
    "FTB544": "a knob, seed or base model is not one that the benchmark allows",
    "FTB545": "the number or numbering of nodes is not the benchmark's",
    "FTB546": "data or a model is not in the store, or is damaged there",
    "FTB547": "the base model cannot be used",
    "FTB548": "a row cannot be turned into tokens",
    "FTB549": "the run folder cannot be used as it is",
    "FTB550": "the ledger is broken or belongs to other conditions",
    "FTB551": "too few usable replies in a round",
    "FTB552": "the communication budget would be exceeded",
    "FTB553": "the budget of trainable parameters is exceeded",
    "FTB554": "out of memory",
    "FTB555": "a client cannot train",
    "FTB556": "the privacy budget would be exceeded",
    "FTB557": "a limit that the operator set was reached",
    "FTB558": "the disk is full, or a file may not grow further",
    "FTB559": "an unexpected error inside the app",
}
"""What the app says."""
MEANINGS.update(APP)
