# leftovers: what a run has left on the machine.

# leftover_processes FOLDER: of those whose program, arguments or environment is from FOLDER.
leftover_processes() {
	local p
	for p in /proc/[0-9]*; do
		if [ "${p#/proc/}" != "$$" ] && { readlink "$p/exe" && cat "$p/cmdline" "$p/environ"; } 2>/dev/null |
			tr '\0' '\n' | grep -qF "$1"; then
			ps -o pid=,args= -p "${p#/proc/}"
		fi
	done
}

# leftover_machine: what real nodes could change outside of their namespaces; for before and after.
leftover_machine() {
	cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic /proc/sys/kernel/panic_on_oops
	find /sys/fs/cgroup -maxdepth 2 -name 'tidegate-*'
	grep -E 'tidegate|kubelet|containerd' /proc/self/mounts
	ls -d /run/containerd /run/netns/* /var/lib/kubelet /var/lib/containerd /var/lib/cni /var/log/pods 2>/dev/null
	ip -o link show | cut -d' ' -f2
}
