# Roost with the embedded engine and the project of this repository:
#   docker build -t roost . && docker run -p 7181:7181 -v roost-data:/data roost
# Another project is mounted over /project.

FROM node:22-trixie-slim AS engine
WORKDIR /build
COPY tools/engine.sh tools/engine.sha256 tools/engine.version tools/
RUN XDG_CACHE_HOME=/build/cache tools/engine.sh && mv cache/roost/engine/*/libchdb.so .

FROM rust:1.95-slim-trixie AS server
WORKDIR /build
COPY . .
RUN cargo build --release --locked

FROM debian:trixie-slim
RUN install -d -o 65532 -g 65532 -m 0700 /data
COPY --from=engine /build/libchdb.so /usr/lib/roost/libchdb.so
COPY --from=server /build/target/release/roost /usr/bin/roost
COPY datasources /project/datasources
COPY pipes /project/pipes
ENV ROOST_ENGINE_LIB=/usr/lib/roost/libchdb.so \
    ROOST__SERVER__HOST=0.0.0.0 \
    ROOST__PROJECT__DIRECTORY=/project \
    ROOST__DATA__DIRECTORY=/data
WORKDIR /project
USER 65532:65532
VOLUME /data
EXPOSE 7181
STOPSIGNAL SIGTERM
ENTRYPOINT ["roost"]
CMD ["serve"]
