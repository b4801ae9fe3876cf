# mer_bench in a container, for x86-64. The entry point is mer-bench.
#   docker build -t mer_bench .                                        for a CPU
#   docker build -t mer_bench:cuda --build-arg TORCH=cu126 .           for an NVIDIA GPU; run it with --gpus all
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" mer_bench list methods
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" mer_bench train mer_smic --data-root data/smic --override ststnet
# Several workers share memory: add --shm-size 2g if one of them ends with a bus error.
FROM python:3.12-slim

# cpu, or a CUDA version of download.pytorch.org/whl, such as cu126
ARG TORCH=cpu

# OpenCV loads the first two; g++ compiles the kernel of stacked trainings, which run without it too
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 g++ \
    && rm -rf /var/lib/apt/lists/*

RUN pip install --no-cache-dir torch torchvision --index-url "https://download.pytorch.org/whl/${TORCH}"

COPY . /source
RUN pip install --no-cache-dir '/source[all]' \
    && python -c 'import cv2; cv2.optflow.DualTVL1OpticalFlow_create' \
    && mer-bench --version

# any user may run it, with a folder of the host in /work
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["mer-bench"]
CMD ["--help"]
