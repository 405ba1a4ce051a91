# The types of the names that `toolchain` offers; a test holds them to the list in the code.

from toolchain.cache.store import Store as Store
from toolchain.deployment.stage import Outcome as Outcome
from toolchain.deployment.verify import Verification as Verification
from toolchain.deployment.verify import verify as verify
from toolchain.errors import BadInputError as BadInputError
from toolchain.errors import ToolchainError as ToolchainError
from toolchain.evaluation.stage import EvaluationOptions as EvaluationOptions
from toolchain.measurement.stage import MeasureOptions as MeasureOptions
from toolchain.pipeline.build import build as build
from toolchain.pipeline.build_options import BuildOptions as BuildOptions
from toolchain.pipeline.deploy import deploy as deploy
from toolchain.pipeline.deploy import rollback as rollback
from toolchain.pipeline.evaluate import evaluate as evaluate
from toolchain.pipeline.inspection import Inspection as Inspection
from toolchain.pipeline.inspection import inspect as inspect
from toolchain.pipeline.measure import measure as measure
from toolchain.pipeline.pull import pull as pull
from toolchain.pipeline.train import train as train
from toolchain.pipeline.tune import TuneOptions as TuneOptions
from toolchain.pipeline.tune import levels as levels
from toolchain.pipeline.tune import tune as tune
from toolchain.progress import Progress as Progress
from toolchain.progress import Silent as Silent
from toolchain.quantize.settings import QuantizeSettings as QuantizeSettings
from toolchain.records.build_report import Report as Report
from toolchain.records.card import Declared as Declared
from toolchain.records.card import ModelCard as ModelCard
from toolchain.records.evaluation import Evaluation as Evaluation
from toolchain.records.pareto import ParetoFront as ParetoFront
from toolchain.records.training import Training as Training
from toolchain.records.visit_figures import Measurement as Measurement
from toolchain.site.configuration import PageOptions as PageOptions
from toolchain.sources.request import Request as Request
from toolchain.sources.saved_model import Fetched as Fetched
from toolchain.tfjs.convert import Stored as Stored
from toolchain.throttling import LINKS as LINKS
from toolchain.throttling import Link as Link
from toolchain.training.options import TrainOptions as TrainOptions

__version__: str
