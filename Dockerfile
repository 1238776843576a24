# The gateway and the worker: one image, whose command says which of the two it is.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/checkrein \
    && /opt/checkrein/bin/pip install --require-hashes --only-binary :all: \
        -r requirements/build.txt -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY gateway gateway
COPY policies policies
COPY sdk_python sdk_python
RUN /opt/checkrein/bin/pip install --no-build-isolation --no-deps ./sdk_python .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent checkrein \
    && install -d -o checkrein -m 0700 /var/lib/checkrein
COPY --from=build /opt/checkrein /opt/checkrein
ENV PATH=/opt/checkrein/bin:$PATH PYTHONUNBUFFERED=1 CHECKREIN_HOST=0.0.0.0 \
    CHECKREIN_DATA=/var/lib/checkrein
# Each container's own: the spool of a gateway is nobody else's.
VOLUME /var/lib/checkrein
USER 10001
WORKDIR /var/lib/checkrein
EXPOSE 8400 8401
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8400/livez', timeout=2)"]
ENTRYPOINT ["checkrein"]
CMD ["serve"]
