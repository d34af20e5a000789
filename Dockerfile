# Draftline's image: every command of the project, run as an ordinary user.
#
# PyPI's torch for Linux carries CUDA. For a CPU image a few gigabytes smaller, name an index with CPU
# builds: docker compose build --build-arg TORCH_ARGS="--index-url URL"

FROM python:3.11-slim-bookworm AS build
ARG TORCH_ARGS=""
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# For the engine's kernels.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/draftline
ENV PATH=/opt/draftline/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
# torch first and in a layer of its own: it is the largest part, and changes least.
# hadolint ignore=SC2086
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install -c constraints.txt ${TORCH_ARGS} "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY retrieve retrieve
COPY generate generate
COPY ingest ingest
COPY evaluate evaluate
COPY app app
RUN --mount=type=cache,target=/root/.cache/pip pip install -c constraints.txt .

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 draftline \
    && mkdir /data /models \
    && chown draftline:draftline /data /models
COPY --from=build /opt/draftline /opt/draftline
WORKDIR /app
COPY configs/nightly.sh configs/nightly.sh
COPY docs docs
COPY tests/golden tests/golden
ENV PATH=/opt/draftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DRAFTLINE_HOME=/data \
    DRAFTLINE_MODELS=/models \
    DRAFTLINE__APP__HOST=0.0.0.0
# By number, so that a runtime can tell that this is not root.
USER 10001
VOLUME ["/data", "/models"]
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# As process 1, Python ignores SIGTERM but ends well on Ctrl-C.
STOPSIGNAL SIGINT
CMD ["python", "-m", "app"]
