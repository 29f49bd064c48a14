"""The model as code that `mlflow.pyfunc.log_model(python_model=...)` takes."""

import mlflow

from agent.serving import WorkbenchAgent

mlflow.langchain.autolog()
mlflow.models.set_model(WorkbenchAgent())
