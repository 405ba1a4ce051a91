# Three images: `build` makes the wheel, `develop` is for .devcontainer, and the last one, the default,
# has `toolchain` and nothing to build it with.
ARG PYTHON=3.11

FROM python:${PYTHON} AS build
WORKDIR /source
COPY Makefile pyproject.toml requirements.lock LICENSE README.md CHANGELOG.md ./
COPY toolchain toolchain
COPY docs docs
COPY templates templates
COPY web web
RUN make wheel PYTHON=python3
# The lock file holds versions and digests; uv also reads from pyproject.toml what to leave out.
RUN .venv/bin/uv venv --python python3 /opt/toolchain \
    && .venv/bin/uv pip install --no-cache --compile-bytecode --python /opt/toolchain/bin/python \
        --constraints requirements.lock tensorflowjs build/*.whl

FROM python:${PYTHON} AS develop
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 toolchain
USER 1000

FROM python:${PYTHON}-slim
COPY --from=build /opt/toolchain /opt/toolchain
# Any user may run it: `docker run --user "$(id -u)"` writes sites that are yours.
RUN useradd --create-home --uid 1000 toolchain && install --directory --mode=1777 /cache /data
ENV PATH=/opt/toolchain/bin:$PATH \
    TOOLCHAIN_CACHE=/cache
USER 1000
WORKDIR /data
ENTRYPOINT ["toolchain"]
CMD ["--help"]
