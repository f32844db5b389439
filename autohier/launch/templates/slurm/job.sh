#!/usr/bin/env bash
# Sweep @{name} under Slurm, written by `autohier launch slurm`. Submit this file with `sbatch`.
#
# The job starts Ray on its machines, runs the sweep, and queues itself again before its time is up. It continues the
# sweep of its name, so it may be submitted again at any time.
@{directives}

@{setup}
export PATH=@{bin}:"$PATH"
@{environment}
unset RAY_ADDRESS
set -uo pipefail

out=@{out}
max_requeues=@{max_requeues}
wait_minutes=@{wait_minutes}
min_nodes=@{min_nodes}
search=(@{search})
gpu_options=(@{gpu_options})
export INTERFACE=@{interface}

say() { printf '%s launch: %s\n' "$(date '+%F %T')" "$*"; }
fail() { rm -f "$run/token"; say "$*"; exit 1; }

# Everything that two jobs on one machine could collide in follows from the job's id.
job=$SLURM_JOB_ID restarts=${SLURM_RESTART_COUNT:-0}
run=$out/.launch/slurm-$job
export RAY_FOLDER=/tmp/r-$job FIRST_PORT=$((10000 + job % 2000 * 10))
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$run/token RAY_USAGE_STATS_ENABLED=0 RAY_enable_metrics_collection=0
export OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 # a trial raises its number of threads to that of its cores

own_address() { # the address by which the other machines reach this one
  local address
  if [ -n "$INTERFACE" ]; then
    address=$(ip -4 -o address show dev "$INTERFACE" | awk '{sub("/.*", "", $4); print $4; exit}')
  else
    address=$(getent ahostsv4 "$SLURMD_NODENAME" | awk '$1 !~ /^127\./ {print $1; exit}')
  fi
  address=${address:-$(hostname -I | awk '{print $1}')}
  echo "${address:-127.0.0.1}"
}

start_ray() { # --head | --address=HOST:PORT: runs Ray on this machine, with the machine's part of the allocation
  local gpus=${SLURM_GPUS_ON_NODE:-} visible memory_mb ray
  if [ -z "$gpus" ]; then
    visible=${CUDA_VISIBLE_DEVICES:-}
    gpus=$(awk -F, '{print NF}' <<<"$visible")
  fi
  memory_mb=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * SLURM_CPUS_ON_NODE))}
  local options=(
    --node-name="$SLURMD_NODENAME" --node-ip-address="$(own_address)"
    --num-cpus="$SLURM_CPUS_ON_NODE" --num-gpus="$gpus" --object-store-memory=$((128 << 20))
    --node-manager-port=$((FIRST_PORT + 1)) --object-manager-port=$((FIRST_PORT + 2))
    --dashboard-agent-listen-port=$((FIRST_PORT + 3)) --dashboard-agent-grpc-port=$((FIRST_PORT + 4))
    --runtime-env-agent-port=$((FIRST_PORT + 5)) --metrics-export-port=$((FIRST_PORT + 6))
    --min-worker-port=0 --max-worker-port=0
    --disable-usage-stats --block
  )
  if [ "$memory_mb" -gt 0 ]; then # without what Ray and the driver take
    options+=(--memory=$(((memory_mb > 2200 ? memory_mb - 1176 : 1024) << 20)))
  fi
  if [ "$1" = --head ]; then
    options+=(--port="$FIRST_PORT" --ray-client-server-port=$((FIRST_PORT + 7)) --include-dashboard=false)
  fi
  # Ray lets all users of the machine write to its own folder, so that lies in a private one.
  rm -rf "$RAY_FOLDER" && mkdir -m 700 "$RAY_FOLDER" || return
  ray start "$1" --temp-dir="$RAY_FOLDER/r" "${options[@]}" &
  ray=$!
  trap 'kill -TERM "$ray" 2>/dev/null' TERM
  wait "$ray"
  wait "$ray"
  rm -rf "$RAY_FOLDER"
}
export -f own_address start_ray

run_on() { # MACHINE ARGUMENT: starts Ray there in a step of this job
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$1" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --cpu-bind=none \
    "${gpu_options[@]}" --mpi=none --no-kill bash -c 'start_ray "$1"' start_ray "$2" \
    >"$run/ray-$1.log" 2>&1 </dev/null &
}

# A signal ends the sweep at a safe point; that of the time limit also queues the job again.
driver='' stopping='' time_is_up='' interrupted=''
stop() { # REASON
  say "$1: stopping"
  stopping=1 interrupted=1
  [ -z "$driver" ] || kill -TERM "$driver" 2>/dev/null
}
trap 'time_is_up=1; stop "the time limit is near"' USR1
trap '[ -n "$time_is_up" ] || stop "Slurm ends the job"' TERM INT

await() { # PID: waits for a process, also if signals arrive, and returns its exit code
  local code next
  wait "$1"
  code=$?
  while [ -n "$interrupted" ]; do
    interrupted=''
    wait "$1"
    next=$?
    [ "$next" = 127 ] || code=$next # the first wait has returned the exit code already
  done
  return "$code"
}

run_driver() { # COMMAND: runs a command that signals stop, and returns its exit code
  [ -z "$stopping" ] || return 143
  "$@" &
  driver=$!
  [ -z "$stopping" ] || kill -TERM "$driver" 2>/dev/null
  await "$driver"
}

stop_ray() { # on all machines; those that do not answer are left to Slurm
  scancel --signal=TERM "$job" # its steps, without this script
  for _ in {1..60}; do
    jobs -r | grep -q 'srun --overlap' || return 0
    sleep 0.5
  done
}

finish() { # CODE: ends the job, or queues it again if its time is up
  stop_ray
  if [ "$1" = 0 ] || [ -n "$stopping" ]; then
    rm -rf "$run"
  else
    rm -f "$run/token"
    say "exit code $1; the logs of Ray are in $run"
  fi
  if [ -n "$time_is_up" ] && [ "$1" != 0 ]; then
    if [ "$restarts" -ge "$max_requeues" ]; then
      say "queued again $restarts times already, the limit; to continue, submit this file again"
    elif (trap '' TERM && exec scontrol requeue "$job"); then # Slurm then ends this run, and scontrol with it
      trap 'kill "$!" 2>/dev/null; exit 0' TERM
      say "queued again ($((restarts + 1)) of at most $max_requeues times)"
      sleep 600 &
      wait $!
    else
      say "Slurm does not queue the job again; to continue, submit this file again"
    fi
  fi
  exit "$1"
}

mkdir -p "$out/.launch" && (umask 077 && mkdir -p "$run") || fail "cannot write to $out"
(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$run/token") || fail "cannot write to $run"
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=$(own_address):$FIRST_PORT

say "job $job, run $((restarts + 1)): starting Ray at $address on ${machines[*]}"
run_on "${machines[0]}" --head
head=$!
until (exec 3<>"/dev/tcp/${address%:*}/$FIRST_PORT") 2>/dev/null; do
  if ! kill -0 "$head" 2>/dev/null || [ "$SECONDS" -ge $((wait_minutes * 60)) ]; then
    tail -n 20 "$run/ray-${machines[0]}.log"
    fail "Ray did not start on ${machines[0]}; see the lines above, and $run"
  fi
  [ -z "$stopping" ] || finish 143
  sleep 0.5
done
for machine in "${machines[@]:1}"; do run_on "$machine" --address="$address"; done

run_driver autohier launch wait --ray-address "$address" --machines "$(IFS=, && echo "${machines[*]}")" \
  --minutes "$wait_minutes" --at-least "$min_nodes" || finish $?
run_driver "${search[@]}" --ray-address "$address"
finish $?
