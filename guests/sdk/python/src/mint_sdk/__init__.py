"""Write MINT plugins in Python. The class you write runs unchanged as a component and as a process."""

from .context import PlatformContext
from .database import Database, Transaction
from .exceptions import (
    ConfigurationException,
    ConflictException,
    DesignDataOwnershipConflictException,
    EventVetoException,
    JobFailed,
    NotFoundException,
    PermissionException,
    PlatformCompatibilityError,
    PluginException,
    PluginLifecycleException,
    QuotaExceededException,
    RepositoryException,
    UnavailableException,
    UnsupportedExperimentTypeException,
    ValidationException,
)
from .identity import PluginActor
from .jobs import JobContext
from .logs import get_plugin_logger
from .metadata import HealthStatus, LifecycleHookResult, PluginCapabilities, PluginHealth, PluginMetadata, PluginType
from .models import (
    AnalysisArtifact,
    AnalysisArtifactInput,
    AnalysisArtifactSummary,
    DataObjectRef,
    DesignData,
    Experiment,
    Job,
    PluginAnalysisResult,
    User,
)
from .objects import ExperimentDataStore
from .plugin import AnalysisPlugin
from .repositories import ExperimentRepository, JobRepository, PluginDataRepository, UserRepository
from .routing import (
    APIRouter,
    Depends,
    FieldError,
    Headers,
    HTMLResponse,
    HTTPException,
    JSONResponse,
    PlainTextResponse,
    QueryParams,
    Request,
    RequestValidationError,
    Response,
    StreamingResponse,
)

__version__ = "1.0.0"

__all__ = [
    "AnalysisArtifact",
    "AnalysisArtifactInput",
    "AnalysisArtifactSummary",
    "AnalysisPlugin",
    "APIRouter",
    "ConfigurationException",
    "ConflictException",
    "Database",
    "DataObjectRef",
    "Depends",
    "DesignData",
    "DesignDataOwnershipConflictException",
    "EventVetoException",
    "Experiment",
    "ExperimentDataStore",
    "ExperimentRepository",
    "FieldError",
    "get_plugin_logger",
    "Headers",
    "HealthStatus",
    "HTMLResponse",
    "HTTPException",
    "Job",
    "JobContext",
    "JobFailed",
    "JobRepository",
    "JSONResponse",
    "LifecycleHookResult",
    "NotFoundException",
    "PermissionException",
    "PlainTextResponse",
    "PlatformCompatibilityError",
    "PlatformContext",
    "PluginActor",
    "PluginAnalysisResult",
    "PluginCapabilities",
    "PluginDataRepository",
    "PluginException",
    "PluginHealth",
    "PluginLifecycleException",
    "PluginMetadata",
    "PluginType",
    "QueryParams",
    "QuotaExceededException",
    "RepositoryException",
    "Request",
    "RequestValidationError",
    "Response",
    "StreamingResponse",
    "Transaction",
    "UnavailableException",
    "UnsupportedExperimentTypeException",
    "User",
    "UserRepository",
    "ValidationException",
]
