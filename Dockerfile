# Builds one binary and puts it into an image that holds libc, CA certificates and nothing to log in to.
# How to run it: docs/deployment.md.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches are BuildKit's; they are no part of any layer, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --profile dist --locked --bin cuegate \
    && install -D -m 0755 target/dist/cuegate /out/usr/local/bin/cuegate \
    && install -d -m 0700 /out/data

# Debian 12 like the stage before, so that the libc fits.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="cuegate" \
      org.opencontainers.image.description="A self-hosted, webhook-driven automation gateway for Iconik" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build /out/usr/local/bin/cuegate /usr/local/bin/cuegate
# 65532 is the image's user `nonroot`. A new volume takes over owner and mode of this directory.
COPY --from=build --chown=65532:65532 /out/data /data
# From here the defaults `data/cuegate.db` and `rules` are /data/cuegate.db and /rules.
WORKDIR /
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/cuegate", "health"]
ENTRYPOINT ["/usr/local/bin/cuegate"]
CMD ["serve", "--config", "/etc/cuegate/cuegate.toml"]
