# One image for every program: `resilian ingest`, `resilian analytics`, `resilian gateway` and the other commands.
ARG PYTHON_IMAGE=python:3.13.9-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The pinned requirements change rarely: a layer of their own.
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/resilian \
 && /opt/resilian/bin/pip install --only-binary=:all: --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY fleet fleet
COPY bus bus
COPY store store
COPY ingest ingest
COPY analytics analytics
COPY gateway gateway
COPY simulators simulators
COPY accelerator accelerator
# Not editable and without build isolation: the build backend is among the pinned requirements.
RUN /opt/resilian/bin/pip install --no-deps --no-build-isolation .

FROM ${PYTHON_IMAGE}
# Standard error and output reach the container's log line by line; no .pyc files are written at run time.
ENV PATH=/opt/resilian/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RESILIAN_FLEET=/fleet RESILIAN_DATA_DIR=/data
RUN groupadd --system --gid 10001 resilian \
 && useradd --system --uid 10001 --gid resilian --no-create-home --home-dir /data resilian \
 && install -d -o resilian -g resilian -m 0750 /data /fleet
COPY --from=build /opt/resilian /opt/resilian
COPY --chmod=0755 deploy/health deploy/logins deploy/influxdb/setup /opt/resilian/libexec/
USER 10001:10001
WORKDIR /data
# The compose file says per program how its health is asked for.
HEALTHCHECK NONE
STOPSIGNAL SIGTERM
ENTRYPOINT ["resilian"]
CMD ["--help"]
