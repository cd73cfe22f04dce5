# Sourced: DOCKER_HOST as Docker's own tools want it. The broker of 2014 took a bare
# host name or an http:// address, and the port in DOCKER_PORT.
# shellcheck shell=bash
if [ -n "${DOCKER_HOST:-}" ]; then
    case $DOCKER_HOST in
        http://* | https://*) DOCKER_HOST=tcp://${DOCKER_HOST#*://} ;;
        *://*) ;;
        *) DOCKER_HOST=tcp://$DOCKER_HOST ;;
    esac
    [[ $DOCKER_HOST != tcp://* || $DOCKER_HOST =~ :[0-9]+$ ]] ||
        DOCKER_HOST=$DOCKER_HOST:${DOCKER_PORT:-2375}
    export DOCKER_HOST
fi
