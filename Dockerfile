# Headgate in a container: docs/docker.md
FROM docker.io/library/node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN ./dev deploy /opt/headgate

FROM docker.io/library/node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="Headgate" \
      org.opencontainers.image.description="The front proxy for the fediverse" \
      org.opencontainers.image.licenses="MIT"
# A user of its own: 1000 is somebody on most machines.
RUN groupadd --gid 10001 headgate \
 && useradd --uid 10001 --gid headgate --home-dir /var/lib/headgate --no-create-home --shell /usr/sbin/nologin headgate \
 && install --directory --owner=headgate --group=headgate --mode=0700 /var/lib/headgate \
 && ln -s /opt/headgate/dist/cli.js /usr/local/bin/headgate
COPY --from=build /opt/headgate /opt/headgate
COPY ops/container.yaml /etc/headgate/headgate.yaml
WORKDIR /etc/headgate
# The health check and `docker exec … headgate status` ask there, whatever file is mounted.
ENV STATE_DIRECTORY=/var/lib/headgate \
    HEADGATE_ADMIN=unix:/var/lib/headgate/admin.sock
VOLUME /var/lib/headgate
EXPOSE 80 443
# A number, so that Kubernetes sees that it isn't root.
USER 10001:10001
# `headgate status` would do, but takes half a second of a processor each time.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["node", "-e", "require('node:http').get({ socketPath: '/var/lib/headgate/admin.sock', path: '/healthz' }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))"]
ENTRYPOINT ["headgate"]
CMD ["run"]
