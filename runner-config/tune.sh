#!/usr/bin/env bash
# Puts a Debian or Ubuntu machine into a state fit for measuring, and back. Needs root; changes nothing that survives a reboot.
#
#   tune.sh apply   [--dry-run] [--cpus LIST]   turbo, frequency scaling, deep C-states and SMT off, performance governor,
#                                               timers and interrupts away from the measuring CPUs, everything else kept off them
#   tune.sh restore [--dry-run]                 every value as it was found
#   tune.sh status                              what differs from the measuring state; exit 1 if something does
#
#   --cpus LIST   CPUs to measure on, such as 2-5,7; default: all but the first core
#   --root DIR    read and write below DIR instead of / (tests)
#
# What this machine cannot set (a virtual machine has no frequency, for one) is listed as "cannot", never counted as done.
# Exit status: 0 everything that exists is set, 1 something could not be set or differs, 2 usage.
set -euo pipefail

root='' dry=false measuring='' action=''
usage() {
  sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case "$1" in
    apply | restore | status) [ -z "$action" ] || usage; action=$1 ;;
    --dry-run) dry=true ;;
    --cpus) [ $# -ge 2 ] || usage; measuring=$2; shift ;;
    --root) [ $# -ge 2 ] || usage; root=${2%/}; shift ;;
    *) usage ;;
  esac
  shift
done
[ -n "$action" ] || usage
[ -z "$measuring" ] || [[ $measuring =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || usage

cpu=/sys/devices/system/cpu
state=$root/run/perforch/tune.state # below /run: gone after a reboot, like the settings themselves
differs=0 failed=0

say() { printf '%-8s %s\n' "$1" "$2"; }

cannot() {
  say cannot "$1"
}

read_value() { # the file's content without the final newline; fails where there is none, as for a CPU that is off
  local text=''
  [ -r "$root$1" ] && { text=$(<"$root$1"); } 2>/dev/null
  [ -n "$text" ] && printf '%s' "$text"
}

declare -A known=() # what the state file holds, by kind and name
load() {
  local kind name rest
  [ ! -e "$state" ] || while IFS=$'\t' read -r kind name rest; do known["$kind $name"]=$rest; done <"$state"
}

remember() { # KIND NAME VALUE: the first value found is the one to go back to
  [ -z "${known["$1 $2"]+x}" ] || return 0
  mkdir -p "${state%/*}"
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$state"
  known["$1 $2"]=$3
}

# set_file FILE VALUE WORDS: write unless it is there already, and look whether the kernel took it.
set_file() {
  local file=$1 value=$2 words=$3 found now
  if ! found=$(read_value "$file"); then
    return 1
  fi
  if [ "$found" = "$value" ]; then
    say ok "$words"
    return 0
  fi
  if [ "$action" = status ]; then
    say differs "$words: $file is $found, not $value"
    differs=1
    return 0
  fi
  if $dry; then
    say would "$words: $file $found -> $value"
    return 0
  fi
  { printf '%s\n' "$value" >"$root$file"; } 2>/dev/null || true
  now=$(read_value "$file" || true)
  [ "$now" = "$found" ] || remember file "$file" "$found"
  if [ "$now" = "$value" ]; then
    say set "$words: $file $found -> $value"
  else
    cannot "$words: the kernel keeps $file at $now"
    failed=1
  fi
}

set_mask() { # FILE CPUS WORDS: as set_file, in the width that the kernel prints masks
  local found
  found=$(read_value "$1") || return 1
  set_file "$1" "$(expand "$2" | mask "$found")" "$3"
}

expand() { # 0-2,5 -> one number a line
  local part
  for part in ${1//,/ }; do
    seq "${part%-*}" "${part#*-}"
  done
}

mask() { # CPU numbers on standard input -> a hexadecimal mask with as many digits as the one given
  awk -v like="$1" '{ value[int($1 / 4)] += 2 ^ ($1 % 4) }
    END {
      for (i = length(like); i > 0; i--) {
        if (substr(like, i, 1) == ",") { text = "," text; continue }
        text = sprintf("%x", value[digit++]) text
      }
      print text
    }'
}

join() { paste -sd, -; }

# --- what is set ---

smt() {
  case "$(read_value $cpu/smt/control || true)" in
    on | off) set_file $cpu/smt/control off 'SMT off' ;;
    forceoff | notsupported) say ok 'SMT off: this machine has one thread a core' ;;
    *) cannot 'SMT: this kernel has no switch for it' ;;
  esac
}

turbo() {
  local file seen=false
  if [ -e "$root$cpu/intel_pstate/no_turbo" ]; then
    set_file $cpu/intel_pstate/no_turbo 1 'turbo off'
    seen=true
  elif [ -e "$root$cpu/cpufreq/boost" ]; then
    set_file $cpu/cpufreq/boost 0 'turbo off'
    seen=true
  else
    for file in "$root$cpu"/cpufreq/policy*/boost; do # some AMD drivers
      [ -e "$file" ] || continue
      set_file "${file#"$root"}" 0 'turbo off'
      seen=true
    done
  fi
  $seen || cannot 'turbo: no switch is visible (a virtual machine, or set in the firmware)'
}

frequency() {
  local policy most seen=false
  for policy in "$root$cpu"/cpufreq/policy*; do
    [ -e "$policy/scaling_governor" ] || continue
    policy=${policy#"$root"} seen=true
    if grep -qw performance "$root$policy/scaling_available_governors" 2>/dev/null; then
      set_file "$policy/scaling_governor" performance 'performance governor' || true
    else
      cannot "governor: $policy offers only $(read_value "$policy/scaling_available_governors" || echo nothing)"
      failed=1
    fi
    # One fixed frequency. Without turbo the base frequency is what can be held; without a name for it, the highest allowed.
    most=$(read_value "$policy/base_frequency") || most=$(read_value "$policy/scaling_max_freq") || continue
    set_file "$policy/scaling_max_freq" "$most" 'one frequency (highest)' || true
    set_file "$policy/scaling_min_freq" "$most" 'one frequency (lowest)' || true
  done
  $seen || cannot 'frequency: no scaling is visible (a virtual machine?)'
}

c_states() { # those that take over 2 µs to leave; C1 stays, or idle CPUs would spin and take power and heat from the others
  local one latency seen=false
  for one in "$root$cpu"/cpu[0-9]*/cpuidle/state[0-9]*; do
    [ -e "$one/disable" ] || continue
    one=${one#"$root"} seen=true
    latency=$(read_value "$one/latency" || echo 0)
    [ "$latency" -le 2 ] || set_file "$one/disable" 1 "C-state $(read_value "$one/name" || basename "$one") off" || true
  done
  $seen || cannot 'C-states: none are visible (a virtual machine?)'
}

interrupts() {
  local one kept=0 number found
  service irqbalance.service 'interrupt balancing'
  set_mask /proc/irq/default_smp_affinity "$housekeeping" 'new interrupts elsewhere' ||
    cannot 'interrupts: /proc/irq is not visible'
  for one in "$root"/proc/irq/[0-9]*; do
    [ -e "$one/smp_affinity_list" ] || continue
    one=${one#"$root"} number=${one##*/}
    found=$(read_value "$one/smp_affinity_list" || true)
    if [ -z "$(comm -12 <(expand "$found" | sort) <(expand "$measuring" | sort))" ]; then
      continue
    fi
    if [ "$action" = apply ] && ! $dry; then
      { printf '%s\n' "$housekeeping" >"$root$one/smp_affinity_list"; } 2>/dev/null || true
      if [ "$(read_value "$one/smp_affinity_list")" = "$found" ]; then
        remember kept "$one" '' # such as one queue a CPU of a disk
        kept=$((kept + 1))
      else
        remember file "$one/smp_affinity_list" "$found"
        say set "interrupt $number on CPU $housekeeping"
      fi
    elif [ -n "${known["kept $one"]+x}" ]; then
      kept=$((kept + 1))
    else
      set_file "$one/smp_affinity_list" "$housekeeping" "interrupt $number"
    fi
  done
  [ "$kept" -eq 0 ] || cannot "interrupts: $kept belong to one CPU each and cannot be moved"
  set_mask /sys/devices/virtual/workqueue/cpumask "$housekeeping" 'kernel work elsewhere' ||
    cannot 'kernel work: no mask for work queues'
  set_file /proc/sys/kernel/nmi_watchdog 0 'no watchdog interrupts' || cannot 'watchdog: this kernel has none'
}

has_systemd() { command -v systemctl >/dev/null 2>&1 && [ -d "$root/run/systemd/system" ]; }

service() { # stop UNIT until restore or reboot
  local unit=$1 words=$2
  has_systemd || return 0
  if ! systemctl is-active --quiet "$unit"; then
    say ok "$words stopped: $unit"
  elif [ "$action" = status ]; then
    say differs "$words: $unit runs"
    differs=1
  elif $dry; then
    say would "$words: stop $unit"
  else
    remember unit "$unit" active
    if systemctl stop "$unit"; then say set "$words: $unit stopped"; else
      cannot "$words: $unit does not stop"
      failed=1
    fi
  fi
}

timers() {
  local unit
  if ! has_systemd; then
    cannot 'timers: systemd is not running'
    return
  fi
  while read -r unit; do
    [ -n "$unit" ] && service "$unit" 'timer'
  done < <(systemctl list-units --type=timer --state=active --plain --no-legend | awk '{ print $1 }')
}

# Everything but perforch.slice is kept on the housekeeping CPUs; perforch.slice may use all, and chooses among the quiet ones.
isolation() {
  local unit found
  if ! has_systemd; then
    cannot 'isolation: systemd is not running; boot with isolcpus= instead'
    return
  fi
  if [ ! -e "$root/sys/fs/cgroup/cgroup.controllers" ] || ! grep -qw cpuset "$root/sys/fs/cgroup/cgroup.controllers"; then
    cannot 'isolation: control groups version 2 with cpuset are needed; boot with isolcpus= instead'
    return
  fi
  for unit in init.scope system.slice user.slice machine.slice; do
    found=$(systemctl show --property=AllowedCPUs --value "$unit")
    if [ "$(expand "$found" | join)" = "$housekeeping" ]; then
      say ok "$unit on CPU $housekeeping"
    elif [ "$action" = status ]; then
      say differs "isolation: $unit may use CPU ${found:-all}"
      differs=1
    elif $dry; then
      say would "isolation: $unit on CPU $housekeeping"
    else
      remember property "$unit" "$found"
      if systemctl set-property --runtime "$unit" AllowedCPUs="$housekeeping"; then
        say set "isolation: $unit on CPU $housekeeping"
      else
        cannot "isolation: AllowedCPUs of $unit cannot be set"
        failed=1
      fi
    fi
  done
}

kernel() {
  set_file /proc/sys/kernel/sched_autogroup_enabled 0 'priorities act across sessions' || true
  local found
  if found=$(read_value /proc/sys/kernel/perf_event_paranoid) && [ "$found" -gt 2 ]; then
    set_file /proc/sys/kernel/perf_event_paranoid 2 'perf may count own programs'
  fi
  # Address-space randomisation stays: without it one layout is measured, not the program.
  set_file /proc/sys/kernel/randomize_va_space 2 'address-space randomisation on' || true
}

choose_cpus() {
  local all first
  all=$(read_value $cpu/present) || { echo "$0: $root$cpu/present cannot be read" >&2; exit 1; }
  if [ -z "$measuring" ]; then
    first=$(read_value $cpu/cpu0/topology/thread_siblings_list || echo 0)
    measuring=$(comm -23 <(expand "$all" | sort) <(expand "$first" | sort) | sort -n | join)
  fi
  housekeeping=$(comm -23 <(expand "$all" | sort) <(expand "$measuring" | sort) | sort -n | join)
  if [ -z "$measuring" ] || [ -z "$housekeeping" ]; then
    echo "$0: of the CPUs $all, some must measure and some must do everything else" >&2
    exit 2
  fi
}

put_back() { # KIND NAME VALUE
  case $1 in
    file) { printf '%s\n' "$3" >"$root$2"; } 2>/dev/null && [ "$(read_value "$2")" = "$3" ] ;;
    unit) systemctl start "$2" ;;
    property) systemctl set-property --runtime "$2" AllowedCPUs="$3" ;;
  esac
}

restore() {
  local kind name value
  if [ ! -e "$state" ]; then
    say ok 'nothing to restore'
    return
  fi
  while IFS=$'\t' read -r kind name value; do
    [ "$kind" != kept ] || continue
    if $dry; then
      say would "restore $name${value:+ to $value}"
      continue
    fi
    if put_back "$kind" "$name" "$value"; then
      say restored "$name${value:+: $value}"
    else
      cannot "restore $name to $value"
      failed=1
    fi
  done < <(tac "$state")
  $dry || [ "$failed" -ne 0 ] || rm "$state"
}

if [ -z "$root" ] && [ "$action" != status ] && ! $dry && [ "$(id -u)" -ne 0 ]; then
  echo "$0: $action needs root; --dry-run and status do not" >&2
  exit 2
fi
load
if [ "$action" = restore ]; then
  restore
else
  choose_cpus
  say cpus "measuring $measuring, everything else $housekeeping"
  smt
  turbo
  frequency
  c_states
  timers
  interrupts
  isolation
  kernel
fi
[ $((differs + failed)) -eq 0 ]
