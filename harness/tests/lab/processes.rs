//! Processes end in every way there is, stand still, fork, become others, and share descriptors.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-05",
        every_end_is_told_by_its_status
        an_agent_is_a_child_of_the_case_and_has_nothing_of_it_open
        the_end_of_a_process_closes_its_sockets
        a_stopped_process_stands_still_while_its_kernel_goes_on
        a_forked_child_holds_the_connection
        a_forked_childs_end_is_its_parents_to_tell
        a_container_is_a_world_of_its_own
        an_executed_program_inherits_what_is_not_closed_on_exec
        a_program_that_cannot_be_executed_is_told
        a_fresh_agent_in_the_same_process_goes_on
        a_duplicate_keeps_the_connection
        a_descriptor_can_be_passed_to_another_process
        a_descriptor_can_be_stolen
        threads_of_one_process_block_while_others_act
    );
}

async fn every_end_is_told_by_its_status(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let host = lab.host("a")?;
    let ends = |status: WaitStatus| match status {
        WaitStatus::Exited(_, code) => Ok(code),
        WaitStatus::Signaled(_, signal, _) => Err(signal),
        other => panic!("{other:?} is no end"),
    };
    same("exit(0)", Ok(0), ends(host.process().await?.exit(0).await?))?;
    same("exit(7)", Ok(7), ends(host.process().await?.exit(7).await?))?;
    same("abort()", Err(Signal::SIGABRT), ends(host.process().await?.abort().await?))?;
    same("a crash", Err(Signal::SIGSEGV), ends(host.process().await?.crash().await?))?;
    same("a panic", Ok(101), ends(host.process().await?.panic().await?))?;
    for signal in
        [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT, Signal::SIGSEGV, Signal::SIGBUS]
    {
        let process = host.process().await?;
        process.signal(signal)?;
        same("a signal", Err(signal), ends(process.wait().await?))?;
        // The status can be asked for again, and a signal no longer sent.
        same("a signal, again", Err(signal), ends(process.wait().await?))?;
        refused(process.signal(signal), &["a/process"])?;
    }
    Ok(())
}

async fn an_agent_is_a_child_of_the_case_and_has_nothing_of_it_open(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let process = lab.host("a")?.process_named("client").await?;
    let home = format!("/proc/{}", process.pid());
    let read = |file| std::fs::read_to_string(format!("{home}/{file}")).unwrap_or_default();
    let words = read("cmdline");
    holds(&words, words.starts_with("lastack\0lastack:agent\0a\0client\0"))?;
    holds("its parent", read("status").lines().any(|line| line == "PPid:\t1"))?;
    let open = std::fs::read_dir(format!("{home}/fd")).into_iter().flatten().count();
    same("descriptors: the standard three and its conversation", 4, open)
}

async fn the_end_of_a_process_closes_its_sockets(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let read = b.read(1).blocks().await?;
    a.process.kill().await?;
    read.done().await?.eof()?;
    lab.wire().expect(fin().from("a")).await.map(drop)
}

async fn a_stopped_process_stands_still_while_its_kernel_goes_on(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let read = b.read(64).blocks().await?;
    b.process.stop().await?;
    let stopped = lab.wire().mark().await?;
    a.write("while it stands").ok().await?;
    lab.wire().expect(pure_ack().from("b").ack(16)).after(stopped).await?;
    let read = read.stays_blocked(Duration::from_millis(50)).await?;
    b.process.resume()?;
    read.done().await?.bytes(b"while it stands")?;
    Ok(())
}

async fn a_forked_child_holds_the_connection(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let child = a.process.fork("child").await?;
    let open = lab.wire().mark().await?;
    a.close().ok().await?;
    a.in_process(&child).write("from the child").ok().await?;
    b.read(64).bytes(b"from the child").await?;
    lab.wire().absent(open, fin()).await?;
    child.exit(0).await?;
    b.read(64).eof().await?;
    lab.wire().expect(fin().from("a")).after(open).await.map(drop)
}

async fn a_forked_childs_end_is_its_parents_to_tell(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let parent = lab.host("a")?.process().await?;
    let child = parent.fork("child").await?;
    let status = child.exit(5).await?;
    holds("exit(5)", matches!(status, WaitStatus::Exited(_, 5)))?;
    let grandchild = parent.fork("second").await?.fork("grandchild").await?;
    let status = grandchild.abort().await?;
    holds("abort()", matches!(status, WaitStatus::Signaled(_, Signal::SIGABRT, _)))
}

async fn a_container_is_a_world_of_its_own(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let init = a.process.fork_container("init").await?;
    let inside = init.fork("inside").await?;
    a.close().ok().await?;
    a.in_process(&init).close().ok().await?;
    let read = b.read(64).blocks().await?;
    // Only the process inside still has the connection, and the end of its init is its end.
    a.in_process(&inside).write("inside").ok().await?;
    read.done().await?.bytes(b"inside")?;
    init.kill().await?;
    b.read(64).eof().await?;
    Ok(())
}

async fn an_executed_program_inherits_what_is_not_closed_on_exec(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let address = b.address(Ip::V4, PORT);
    let listener = b.process().await?.listen(address).await?;
    let process = a.process().await?;
    let (kept, _closed) = (process.connect(address).await?, process.connect(address).await?);
    kept.cloexec(false).ok().await?;
    let (far_kept, far_closed) = (listener.accept().ok().await?, listener.accept().ok().await?);
    process.exec(&["/bin/sleep", "1000"]).await?;
    far_closed.read(1).eof().await?;
    let read = far_kept.read(1).blocks().await?;
    refused(kept.write("x").await, &["takes no more calls"])?;
    process.kill().await?;
    read.done().await?.eof()?;
    Ok(())
}

async fn a_program_that_cannot_be_executed_is_told(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let process = lab.host("a")?.process().await?;
    refused(process.exec(&["/no/such/program"]).await, &["/no/such/program", "ENOENT"])?;
    // It is still itself.
    process.socket(lab.host("b")?.address(Ip::V4, PORT)).ok().await.map(drop)
}

async fn a_fresh_agent_in_the_same_process_goes_on(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.cloexec(false).ok().await?;
    let pid = a.process.pid();
    a.process.exec_again().await?;
    same("its pid", pid, a.process.pid())?;
    a.write("after exec").ok().await?;
    b.read(64).bytes(b"after exec").await?;
    a.cloexec(true).ok().await?;
    a.process.exec_again().await?;
    b.read(64).eof().await?;
    a.write("closed").errno(Errno::EBADF).await?;
    let status = a.process.exit(4).await?;
    holds("exit(4)", matches!(status, WaitStatus::Exited(_, 4)))
}

async fn a_duplicate_keeps_the_connection(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let open = lab.wire().mark().await?;
    let duplicate = a.dup().ok().await?;
    a.close().ok().await?;
    a.write("x").errno(Errno::EBADF).await?;
    duplicate.write("through the other").ok().await?;
    b.read(64).bytes(b"through the other").await?;
    lab.wire().absent(open, fin()).await?;
    duplicate.close().ok().await?;
    b.read(64).eof().await?;
    Ok(())
}

async fn a_descriptor_can_be_passed_to_another_process(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let heir = a.host().process_named("heir").await?;
    let (here, there) = a.process.join(&heir).await?;
    a.send_over(&here).ok().await?;
    a.process.kill().await?;
    // In flight a descriptor lives on without a process.
    let inherited = there.receive_fd().ok().await?;
    inherited.write("inherited").ok().await?;
    b.read(64).bytes(b"inherited").await?;
    heir.kill().await?;
    b.read(64).eof().await?;
    Ok(())
}

async fn a_descriptor_can_be_stolen(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let thief = a.host().process_named("thief").await?;
    let stolen = thief.steal(&a).ok().await?;
    a.process.kill().await?;
    stolen.write("stolen").ok().await?;
    b.read(64).bytes(b"stolen").await?;
    Ok(())
}

async fn threads_of_one_process_block_while_others_act(scene: Scene) -> Result {
    let Pair { a, b, listener, .. } = scene.pair().connect().await?;
    let reading = b.read(64).on("reader").blocks().await?;
    let accepting = listener.accept().on("accepter").blocks().await?;
    let polling = b.poll(Events::RDHUP, None).on("poller").blocks().await?;
    b.write("from main").ok().await?;
    a.read(64).bytes(b"from main").await?;
    a.process.connect(b.local_address()).await?;
    accepting.done().await?.ok()?;
    a.write("to who reads").ok().await?;
    reading.done().await?.bytes(b"to who reads")?;
    a.shut_wr().ok().await?;
    polling.done().await?.is(&Events::RDHUP)?;
    let names = std::fs::read_dir(format!("/proc/{}/task", b.process.pid())).into_iter().flatten();
    let names: Vec<_> = names
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect();
    for name in ["reader", "accepter", "poller", "main"] {
        holds(name, names.iter().any(|found| found == name))?;
    }
    Ok(())
}
